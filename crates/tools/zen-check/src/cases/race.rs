//! Races, made certain: the server is stopped, everything that it will find
//! when it goes on is arranged, and then it goes on.

use super::prelude::*;
use crate::random::Random;

pub(super) const FUNCTIONS: &[Named] = functions![
    a_client_that_comes_as_another_leaves_is_served =
        |it| comes_as_another_leaves(it, closes),
    a_client_that_comes_as_another_is_reset_is_served =
        |it| comes_as_another_leaves(it, Client::reset),
    any_order_of_coming_asking_and_leaving_is_served,
];

type Leaves = fn(Client) -> Verdict;

/// In every round a few clients go and a few come, all of them at the same
/// time as far as the server can tell. It closes a descriptor and gets the same
/// number again for a client that it does not know yet. A server that tidies up
/// behind the old number afterwards does it to the new client.
fn comes_as_another_leaves(subject: &Subject, leaves: Leaves) -> Verdict {
    let server = subject.start(&[])?;
    let room = subject.at_once(8);
    for (go, come) in [(1, 1), (1, 2), (2, 1), (3, 3), (1, 5), (room / 2, 4)] {
        for first in [true, false] {
            let mut stay = server.served(1)?;
            let mut gone = server.served(go.min(room - 1))?;
            server.freeze()?;
            let mut new = Vec::new();
            if first {
                gone.drain(..).try_for_each(leaves)?;
            }
            for _ in 0..come.min(room - 1) {
                let Some(mut client) = server.queue_up()? else { break };
                client.send(COMPLEX)?;
                new.push(client);
            }
            gone.drain(..).try_for_each(leaves)?;
            server.thaw()?;
            for client in &mut new {
                client.expect(b"Complex.")?.ask(UGLY)?;
            }
            stay.extend(new);
            for mut client in stay {
                client.asks()?.leave()?;
            }
        }
    }
    Ok(())
}

fn closes(client: Client) -> Verdict {
    drop(client);
    Ok(())
}

/// A client, and how many answers it is owed.
type Owed = (Client, usize);

/// What one client does while the server is stopped.
fn one_step(
    server: &Server,
    clients: &mut Vec<Owed>,
    random: &mut Random,
    most: usize,
) -> Verdict {
    if clients.is_empty() || clients.len() < most && random.below(3) == 0 {
        clients.extend(server.queue_up()?.map(|client| (client, 0)));
        return Ok(());
    }
    let one = random.below(clients.len());
    match random.below(4) {
        0 => drop(clients.swap_remove(one)),
        1 => clients.swap_remove(one).0.reset()?,
        _ => {
            clients[one].0.send(COMPLEX)?;
            clients[one].1 += 1;
        }
    }
    Ok(())
}

fn any_order_of_coming_asking_and_leaving_is_served(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let most = subject.at_once(12);
    let mut random = Random::new(subject.seed);
    let mut clients: Vec<_> =
        server.served(most / 2)?.into_iter().map(|one| (one, 0)).collect();
    for _ in 0..15 {
        server.freeze()?;
        for _ in 0..8 {
            one_step(&server, &mut clients, &mut random, most)?;
        }
        server.thaw()?;
        for (client, owed) in &mut clients {
            client.expect(&b"Complex.".repeat(*owed))?.ask(UGLY)?;
            *owed = 0;
        }
    }
    Ok(())
}
