//! A limit for the number of clients from one address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::socketserver::VerifyRequest;

/// How many clients each address has. Addresses without clients are not in it.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets at most this many clients in from each address.
#[derive(Clone)]
pub(crate) struct AddressLimit {
    max_per_address: usize,
    /// Filled by `verify_request`, emptied when a `Seat` is dropped.
    table: Table,
}

/// One client's place among those of its address.
pub(crate) struct Seat {
    // BEGIN SOLUTION count
    address: IpAddr,
    table: Table,
    // END SOLUTION
}

impl AddressLimit {
    pub(crate) fn new(max_per_address: usize) -> Self {
        Self { max_per_address, table: Table::default() }
    }

    /// How many addresses have a client.
    pub(crate) fn addresses(&self) -> usize {
        self.table.lock().len()
    }
}

impl VerifyRequest for AddressLimit {
    type Seat = Seat;

    fn verify_request(
        &self,
        client_address: SocketAddr,
    ) -> Result<Seat, String> {
        // BEGIN SOLUTION count
        // ::ffff:127.0.0.1 and 127.0.0.1 are the same client.
        let address = client_address.ip().to_canonical();
        let mut table = self.table.lock();
        let clients = table.entry(address).or_default();
        // The limit is at least one, so a refused client never leaves an entry
        // without clients behind.
        if *clients == self.max_per_address {
            return Err(format!("too many clients from {address}"));
        }
        *clients += 1;
        Ok(Seat { address, table: self.table.clone() })
        // STARTER: let _ = (client_address, self.max_per_address);
        // STARTER: Ok(Seat {})
        // END SOLUTION
    }
}
// BEGIN SOLUTION free

/// Gives the seat back when its thread ends, in any way, or could not be
/// started.
impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.table.lock();
        match table.get_mut(&self.address) {
            Some(clients) if *clients > 1 => *clients -= 1,
            _ => _ = table.remove(&self.address),
        }
    }
}
// END SOLUTION
