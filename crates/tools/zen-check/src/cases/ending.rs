//! How a conversation ends, and that no other suffers by it.

use std::thread;
use std::time::Duration;

use crate::case::{Case, case};
use crate::client::{Client, Ending, QUESTIONS_WAITING};
use crate::contract::{COMPLEX, UGLY, UNKNOWN, answers};
use crate::process::{self, PATIENCE};
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::{Verdict, ensure};

pub(super) const CASES: &[Case] = &[
    case!("ending/1", a_client_may_leave_without_a_word),
    case!("ending/1", a_client_may_leave_between_two_questions),
    case!("ending/2", a_client_may_leave_after_white_space),
    case!("ending/3", a_question_cut_short_gets_no_answer),
    case!("ending/4", a_half_closed_client_gets_all_answers),
    case!("ending/4", a_half_closed_client_gets_what_is_still_thought_about),
    case!("ending/4", a_half_closed_client_that_reads_late_gets_all_answers),
    case!("ending/4", whole_questions_before_a_cut_one_are_answered),
    case!("ending/5", a_reset_before_any_question_harms_no_other),
    case!("ending/5", a_reset_inside_a_question_harms_no_other),
    case!("ending/5", a_reset_after_an_answer_harms_no_other),
    case!("ending/5", a_reset_with_answers_unread_harms_no_other),
    case!("ending/5", a_reset_while_it_thinks_harms_no_other),
    case!("ending/5", a_reset_while_it_sends_harms_no_other),
    case!("ending/5", a_reset_after_a_half_close_harms_no_other),
    case!("ending/5", a_client_that_leaves_its_answers_harms_no_other),
];

fn a_client_may_leave_without_a_word(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.leave()?;
    server.expect_closed(&client)?;
    server.connect()?.asks()?.leave()
}

fn a_client_may_leave_between_two_questions(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.asks()?.asks()?.leave()?;
    server.expect_closed(&client)
}

fn a_client_may_leave_after_white_space(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    for begin in [&b""[..], COMPLEX] {
        let mut client = server.connect()?;
        client.send(begin)?.expect(&answers(begin))?.send(b" \r\n")?;
        client.leave()?;
        server.expect_closed(&client)?;
    }
    Ok(())
}

fn a_question_cut_short_gets_no_answer(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.send(b"Beautiful is better than")?.leave()?;
    server.expect_error(
        &client,
        "received b\"Beautiful is better than\" then socket closed",
    )?;
    server.connect()?.asks()?.leave()
}

fn a_half_closed_client_gets_all_answers(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    let stream = [COMPLEX, UGLY, b"?"].concat().repeat(500);
    client.send(&stream)?.stop_sending()?;
    client.expect(&answers(&stream))?.expect_eof()?;
    server.expect_closed(&client)
}

fn a_half_closed_client_gets_what_is_still_thought_about(
    subject: &Subject,
) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&["--think", "100"])?;
    client.send(&[COMPLEX, UGLY].concat())?.stop_sending()?;
    client.expect(b"Complex.Ugly.")?.expect_eof()
}

fn a_half_closed_client_that_reads_late_gets_all_answers(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let mut client = server.with_answers_waiting()?;
    client.stop_sending()?;
    process::come_to_rest(server.process()?)?;
    process::while_idle(server.process()?, || {
        thread::sleep(Duration::from_millis(500));
        Ok(())
    })?;
    client.expect(&UNKNOWN.repeat(QUESTIONS_WAITING))?.expect_eof()?;
    server.expect_closed(&client)
}

fn whole_questions_before_a_cut_one_are_answered(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.send(b"Simple is better than?Beaut")?.stop_sending()?;
    client.expect(b"Complex.")?.expect_eof()?;
    server.expect_error(&client, "received b\"Beaut\" then socket closed")
}

/// Resets the connection of one client, and sees that another one, served at
/// the same time if that is possible, does not notice, nor the next one.
fn reset_beside_others(
    server: &Server,
    connect: impl FnOnce() -> Verdict<Client>,
) -> Verdict {
    let at_once = server.subject.at_once(2) == 2;
    let mut bystander = at_once.then(|| server.connect()).transpose()?;
    if let Some(bystander) = &mut bystander {
        bystander.asks()?;
    }
    let client = connect()?;
    let error = format!("Client {} error: ", client.address);
    client.reset()?;
    if let Some(bystander) = &mut bystander {
        bystander.asks()?.leave()?;
    }
    server.connect()?.asks()?.leave()?;
    if !server.subject.is_listing() {
        return Ok(());
    }
    server.log.wait_for("the error of that client", PATIENCE, |lines| {
        lines.iter().any(|line| line.starts_with(&error)).then_some(())
    })?;
    Ok(())
}

fn a_reset_before_any_question_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    reset_beside_others(&server, || {
        let client = server.connect()?;
        server.expect_accepted(&client)?;
        Ok(client)
    })
}

fn a_reset_inside_a_question_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    reset_beside_others(&server, || {
        let mut client = server.connect()?;
        client.send(b"Simple is")?;
        Ok(client)
    })
}

fn a_reset_after_an_answer_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    reset_beside_others(&server, || {
        let mut client = server.connect()?;
        client.asks()?;
        Ok(client)
    })
}

fn a_reset_with_answers_unread_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    reset_beside_others(&server, || {
        let mut client = server.connect()?;
        client.send(&COMPLEX.repeat(100))?.expect(b"Complex.")?;
        Ok(client)
    })
}

fn a_reset_while_it_thinks_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&["--think", "100"])?;
    reset_beside_others(&server, || {
        let mut client = server.connect()?;
        client.send(COMPLEX)?;
        server.expect_accepted(&client)?;
        Ok(client)
    })
}

fn a_reset_while_it_sends_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    reset_beside_others(&server, || server.with_answers_waiting())
}

/// After the end of file a reset is EPIPE to whoever sends, and not ECONNRESET,
/// and so raises SIGPIPE at the first try.
fn a_reset_after_a_half_close_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    reset_beside_others(&server, || {
        let mut client = server.with_answers_waiting()?;
        server.wait_until_received(&client)?;
        client.stop_sending()?;
        Ok(client)
    })
}

fn a_client_that_leaves_its_answers_harms_no_other(
    subject: &Subject,
) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.send(&COMPLEX.repeat(50))?.expect(b"Complex.")?;
    // To close with answers unread is what a reset is, to the server.
    drop(client);
    let mut next = server.connect()?;
    next.asks()?.stop_sending()?;
    let (bytes, ending) = next.rest(Duration::from_secs(5))?;
    ensure!(bytes.is_empty(), "{} bytes too many", bytes.len());
    ensure!(ending == Ending::EndOfFile, "the next client was reset");
    Ok(())
}
