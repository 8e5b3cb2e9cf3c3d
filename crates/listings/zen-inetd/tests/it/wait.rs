//! Listing 7-11: the socket is a listener that still belongs to inetd.

use std::io;
use std::time::{Duration, Instant};

use zen_harness::system;

use crate::stand_in::{BOTH, Client, How, listen, start};

#[test]
fn crowd_1_serves_one_client_at_a_time() -> io::Result<()> {
    for how in BOTH {
        let listener = listen()?;
        let address = listener.local_addr()?;
        let started = start(how, listener, &[])?;
        let mut first = Client::connect(address)?;
        first.asks()?;
        let mut second = Client::connect(address)?;
        second.send(b"Simple is better than?")?;
        assert!(second.hears_nothing_for(Duration::from_millis(200))?);
        drop(first);
        second.receives(b"Complex.")?;
        assert_eq!(started.logged()?.len(), 3);
    }
    Ok(())
}

#[test]
fn log_13_ends_after_a_while_without_clients() -> io::Result<()> {
    for how in BOTH {
        let listener = listen()?;
        let address = listener.local_addr()?;
        let mut started = start(how, listener, &["--linger", "0.5"])?;
        let mut client = Client::connect(address)?;
        client.asks()?;
        // A client that is there counts, however silent it is.
        assert!(client.hears_nothing_for(Duration::from_millis(700))?);
        client.asks()?;
        let begun = Instant::now();
        let address = client.address;
        drop(client);
        let expected = [
            format!("Accepted connection from {address}"),
            format!("Client socket to {address} has closed"),
            "Waited 0.5 seconds with no further connections; shutting down"
                .to_string(),
        ];
        assert_eq!(started.ends_well()?, expected);
        assert!(begun.elapsed() >= Duration::from_millis(500));
    }
    Ok(())
}

#[test]
fn log_13_waits_eight_seconds_by_default() -> io::Result<()> {
    let begun = Instant::now();
    let mut started = start(How::Inetd, listen()?, &[])?;
    let line = "Waited 8 seconds with no further connections; shutting down";
    assert_eq!(started.ends_well()?, [line]);
    assert!(begun.elapsed() >= Duration::from_secs(8));
    Ok(())
}

#[test]
fn linger_0_serves_a_waiting_client_and_ends() -> io::Result<()> {
    let listener = listen()?;
    let mut client = Client::connect(listener.local_addr()?)?;
    client.send(b"Simple is better than?")?;
    client.stops_sending()?;
    let mut started = start(How::Inetd, listener, &["--linger", "0"])?;
    client.receives_to_the_end(b"Complex.")?;
    let logged = started.ends_well()?;
    assert!(logged[2].starts_with("Waited 0 seconds "), "{logged:?}");
    Ok(())
}

#[test]
fn the_listener_outlives_the_program() -> io::Result<()> {
    for signal in [None, Some(system::SIGTERM), Some(system::SIGINT)] {
        let listener = listen()?;
        let address = listener.local_addr()?;
        let linger = if signal.is_some() { "60" } else { "0.1" };
        let arguments = ["--linger", linger];
        let mut started = start(How::Inetd, listener.try_clone()?, &arguments)?;
        let mut client = Client::connect(address)?;
        client.asks()?;
        if let Some(signal) = signal {
            started.signal(signal)?;
        }
        drop(client);
        started.ends_well()?;
        // A client that comes now waits for the next start.
        let mut client = Client::connect(address)?;
        client.send(b"Simple is better than?")?;
        let _next = start(How::Inetd, listener, &arguments)?;
        client.receives(b"Complex.")?;
    }
    Ok(())
}

#[test]
fn process_8_a_signal_ends_its_wait_for_clients() -> io::Result<()> {
    for how in BOTH {
        let listener = listen()?;
        let address = listener.local_addr()?;
        let mut started = start(how, listener, &["--linger", "60"])?;
        let mut client = Client::connect(address)?;
        client.asks()?;
        let address = client.address;
        drop(client);
        started.logs(&format!("Client socket to {address} has closed"))?;
        let begun = Instant::now();
        started.signal(system::SIGTERM)?;
        let logged = started.ends_well()?;
        // Not by the cut after 1.8 s.
        assert!(begun.elapsed() < Duration::from_secs(1), "{how:?}");
        assert_eq!(logged[2..], ["Shutting down"]);
    }
    Ok(())
}

#[test]
fn process_7_other_signals_change_nothing() -> io::Result<()> {
    let listener = listen()?;
    let address = listener.local_addr()?;
    let mut started = start(How::Inetd, listener, &["--linger", "1"])?;
    let mut client = Client::connect(address)?;
    client.asks()?;
    let address = client.address;
    drop(client);
    started.logs(&format!("Client socket to {address} has closed"))?;
    let begun = Instant::now();
    // Each of these cuts a poll() short.
    for signal in [
        system::SIGSTOP,
        system::SIGCONT,
        system::SIGWINCH,
        system::SIGSTOP,
        system::SIGCONT,
    ] {
        started.signal(signal)?;
    }
    let logged = started.ends_well()?;
    assert!(logged[2].starts_with("Waited 1 seconds "), "{logged:?}");
    assert!(begun.elapsed() >= Duration::from_millis(900));
    Ok(())
}

#[test]
fn ending_5_an_error_of_one_client_hurts_no_other() -> io::Result<()> {
    let listener = listen()?;
    let address = listener.local_addr()?;
    let started = start(How::Inetd, listener, &[])?;
    let mut rude = Client::connect(address)?;
    rude.send(b"Who?")?;
    rude.leaves_unread()?;
    drop(rude);
    let mut client = Client::connect(address)?;
    client.asks()?;
    let logged = started.logged()?;
    assert!(logged[1].contains(" error: Connection reset by peer"));
    Ok(())
}
