//! What only Linux shows.

use std::fs;
use std::io::{self, Write};

use crate::stand_in::{BOTH, How, connected, start, start_for_one, wait_for};

#[test]
fn ending_5_survives_a_client_that_left_before_the_start() -> io::Result<()> {
    let (client, mut sock) = connected()?;
    sock.write_all(b"no one reads this")?;
    client.leaves_unread()?;
    drop(client);
    wait_for(|| Ok(sock.peer_addr().is_err().then_some(())))?;
    let mut started = start(How::Inetd, sock, &[])?;
    let logged = started.ends_well()?;
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].starts_with("Client 0.0.0.0:0 error: "), "{logged:?}");
    Ok(())
}

#[test]
fn keeps_one_descriptor_of_its_socket() -> io::Result<()> {
    for how in BOTH {
        let (mut client, started) = start_for_one(how, &[])?;
        client.asks()?;
        let folder = format!("/proc/{}/fd", started.process());
        let mut sockets = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let target = fs::read_link(&path)?;
            if target.to_string_lossy().starts_with("socket:") {
                sockets.push(path);
            }
        }
        assert_eq!(sockets.len(), 1, "{how:?}: {sockets:?}");
        let number = sockets[0].file_name().unwrap_or_default();
        let number: u32 = number.to_string_lossy().parse().unwrap_or(0);
        assert!(number > 2, "{how:?}: a standard stream is the client");
    }
    Ok(())
}
