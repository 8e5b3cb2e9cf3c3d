//! The contract in other words: for an examination, a number chooses how a
//! question ends, how long it may be, and what is answered.
//!
//! Cases are written in the contract's own words. A client says them in the
//! dialect of the server that it speaks to, and expects answers in it. So
//! what is sent and what is shown is the dialect, and no case knows of it.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{COMPLEX, IMPLICIT, TOO_LONG, UGLY, UNKNOWN, answer};
use crate::random::Random;

/// How the contract is spoken.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// None of the contract's own.
    seed: Option<u64>,
    question_end: u8,
    answer_end: u8,
    question_bytes_max: usize,
    /// What is answered, in the order of [`MEANT`].
    answers: [String; 5],
}

/// What the contract's own answers are, without their end.
const MEANT: [&[u8]; 5] =
    [b"Ugly", b"Implicit", b"Complex", b"Error: unknown aphorism", LONG];
const LONG: &[u8] = b"Error: question too long";

const QUESTIONS: [&[u8]; 3] = [UGLY, IMPLICIT, COMPLEX];

/// A question or an answer may end so. None of it is a letter, white space, or
/// in the contract's own answers, and all of it can be shown in a table.
const ENDS: &[u8] = b"!;#$%&/=@~^+";

/// None of the contract's answers, and none longer than its longest.
const WORDS: [&str; 12] = [
    "Tangled", "Obscure", "Hasty", "Crooked", "Noisy", "Clever", "Fragile",
    "Clumsy", "Murky", "Bloated", "Brittle", "Vague",
];

/// As long as the contract's words are, so that as many answers fit anywhere.
const BEGINS: [&str; 4] = ["Fault", "Sorry", "Wrong", "Alarm"];
const STRANGE: [&str; 4] = ["foreign", "strange", "unheard", "missing"];
const TOO: [&str; 4] = ["too wide", "too much", "oversize", "too vast"];

/// Shorter than the contract's limit, and long enough for every case. All are
/// even: there is a case with characters of two bytes.
const BYTES_MAX_FROM: usize = 512;
const BYTES_MAX_STEPS: usize = 240;

impl Default for Dialect {
    /// The contract's own words.
    fn default() -> Self {
        let own = MEANT.map(|it| String::from_utf8_lossy(it).into_owned());
        Self {
            seed: None,
            question_end: b'?',
            answer_end: b'.',
            question_bytes_max: 1024,
            answers: own,
        }
    }
}

impl Dialect {
    /// The dialect of this number: always the same.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut ends = ENDS.to_vec();
        let question_end = ends.swap_remove(random.below(ends.len()));
        let answer_end = ends.swap_remove(random.below(ends.len()));
        let steps = random.below(BYTES_MAX_STEPS);
        let mut words = WORDS.to_vec();
        let mut word =
            || words.swap_remove(random.below(words.len())).to_string();
        let [ugly, implicit, complex] = [word(), word(), word()];
        let mut one_of = |all: [&'static str; 4]| all[random.below(4)];
        let begin = one_of(BEGINS);
        let unknown = format!("{begin}: {} aphorism", one_of(STRANGE));
        let too_long = format!("{begin}: question {}", one_of(TOO));
        Self {
            seed: Some(seed),
            question_end,
            answer_end,
            question_bytes_max: BYTES_MAX_FROM + 2 * steps,
            answers: [ugly, implicit, complex, unknown, too_long],
        }
    }

    /// The number that chose it; none chose the contract's own words.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// What a question may have, with its end.
    pub(crate) fn question_bytes_max(&self) -> usize {
        self.question_bytes_max
    }

    /// What is sent, if a case sends this: the two ends change places. So
    /// every byte but one may still stand in a question.
    pub(crate) fn said<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.seed.is_none() {
            return Cow::Borrowed(bytes);
        }
        let swapped = |&byte: &u8| match byte {
            b'?' => self.question_end,
            byte if byte == self.question_end => b'?',
            byte => byte,
        };
        bytes.iter().map(swapped).collect()
    }

    /// What has to come, if a case expects this. What is no answer of the
    /// contract's remains as it is.
    pub(crate) fn answered<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match self.seed {
            None => Cow::Borrowed(bytes),
            Some(_) => translated(bytes, &self.answers()).into(),
        }
    }

    /// The five answers, each with its end.
    pub(crate) fn answers(&self) -> [Vec<u8>; 5] {
        let end = [self.answer_end];
        self.answers.each_ref().map(|it| [it.as_bytes(), &end].concat())
    }

    /// A sentence about the contract, as it is true here.
    pub(crate) fn told(&self, text: String) -> String {
        if self.seed.is_none() {
            return text;
        }
        let [question_end, answers @ ..] = [b"?", UNKNOWN, TOO_LONG];
        let mut text = text.replace("1,024", &self.bytes_max());
        let said = self.said(question_end);
        text = text.replace("`?`", &format!("`{}`", shown(&said)));
        for answer in answers {
            text = text.replace(&shown(answer), &shown(&self.answered(answer)));
        }
        text
    }

    fn bytes_max(&self) -> String {
        match self.question_bytes_max {
            1024 => "1,024".into(),
            bytes => bytes.to_string(),
        }
    }

    /// All that a server has to know of it, beside the contract, as a page.
    #[must_use]
    pub fn page(&self) -> String {
        let own = Self::default();
        let mut text =
            String::from("| | the contract | here |\n|---|---|---|\n");
        let mut row = |what: &str, own: &str, here: &str| {
            writeln!(text, "| {what} | {own} | {here} |").ok();
        };
        let code = |bytes: &[u8]| format!("`{}`", shown(bytes));
        let end = |it: &Self| code(&[it.question_end]);
        row("a question ends with", &end(&own), &end(self));
        let ends = [own.answer_end, self.answer_end].map(|it| code(&[it]));
        row("an answer ends with", &ends[0], &ends[1]);
        let most = |it: &Self| format!("{} bytes", it.bytes_max());
        row(
            "a question has, its end included, at most",
            &most(&own),
            &most(self),
        );
        for question in QUESTIONS {
            let [asked, here] = [&own, self].map(|it| code(&it.said(question)));
            let asked = match asked == here {
                true => here,
                false => format!("{here} (for {asked})"),
            };
            let answer = answer(question);
            row(&asked, &code(answer), &code(&self.answered(answer)));
        }
        for (what, answer) in [
            ("anything else", UNKNOWN),
            ("a question that is too long", TOO_LONG),
        ] {
            row(what, &code(answer), &code(&self.answered(answer)));
        }
        text
    }

    /// The same for a program: a line for how a question ends, how an answer
    /// ends, how many bytes a question may have, and each of the five answers
    /// without its end, as the page has them.
    #[must_use]
    pub fn lines(&self) -> String {
        let [question_end, answer_end] =
            [self.question_end, self.answer_end].map(char::from);
        let most = self.question_bytes_max;
        let answers = self.answers.join("\n");
        format!("{question_end}\n{answer_end}\n{most}\n{answers}\n")
    }
}

/// The contract's answers in other words. What is none of them remains as it is.
pub(crate) fn translated(bytes: &[u8], answers: &[Vec<u8>; 5]) -> Vec<u8> {
    let mut said = Vec::with_capacity(bytes.len());
    for piece in bytes.split_inclusive(|&byte| byte == b'.') {
        let meant = piece.strip_suffix(b".");
        let meant = MEANT.iter().position(|it| Some(*it) == meant);
        said.extend_from_slice(meant.map_or(piece, |index| &answers[index]));
    }
    said
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX_FROM, Dialect, MEANT};
    use crate::contract::{COMPLEX, UNKNOWN};

    #[test]
    fn the_contracts_own_words_are_said_as_they_are() {
        let own = Dialect::default();
        assert_eq!(&*own.said(COMPLEX), COMPLEX);
        assert_eq!(&*own.answered(UNKNOWN), UNKNOWN);
        assert_eq!(own.told("`?` 1,024".into()), "`?` 1,024");
    }

    #[test]
    fn every_number_has_words_that_no_server_of_the_contract_would_say() {
        for seed in 0..2000 {
            let one = Dialect::new(seed);
            let (again, next) = (Dialect::new(seed), Dialect::new(seed + 1));
            assert_eq!(one.lines(), again.lines());
            assert_ne!(one.lines(), next.lines());
            assert!(![one.answer_end, b'?', b'.'].contains(&one.question_end));
            assert_ne!(one.answer_end, b'.');
            assert!(one.question_bytes_max % 2 == 0);
            assert!((BYTES_MAX_FROM..1024).contains(&one.question_bytes_max));
            for (meant, answer) in MEANT.iter().zip(&one.answers) {
                let here = answer.as_bytes();
                assert!(!MEANT.contains(&here), "{seed}: {answer}");
                assert!(!here.contains(&one.answer_end), "{seed}: {answer}");
                // What waits for a client is reckoned by their length.
                let long = meant.len() > 8;
                assert!(!long || here.len() == meant.len(), "{answer}");
                assert!(here.len() <= 24, "{answer}");
            }
            let [first, second, third, ..] = &one.answers;
            assert!(first != second && second != third && first != third);
        }
    }

    #[test]
    fn a_question_may_still_hold_every_byte_but_its_end() {
        let one = Dialect::new(1060);
        let all: Vec<u8> = (0..=255).collect();
        let mut said = one.said(&all).into_owned();
        assert_eq!(said[usize::from(b'?')], one.question_end);
        said.sort_unstable();
        assert_eq!(said, all);
    }

    #[test]
    fn answers_are_translated_one_by_one_and_nothing_else_is() {
        let one = Dialect::new(1060);
        let [ugly, _, complex, ..] = &one.answers;
        let end = char::from(one.answer_end);
        let expected = format!("{complex}{end}{ugly}{end}Error: busy.Ugl");
        let said = one.answered(b"Complex.Ugly.Error: busy.Ugl");
        assert_eq!(String::from_utf8_lossy(&said), expected);
    }
}
