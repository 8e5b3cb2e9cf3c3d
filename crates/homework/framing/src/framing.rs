//! Where one frame ends and the next begins. It does no I/O.
//!
//! A frame is a question that ends in `?`, or a netstring such as `4:Who?,`.
//! That is the length in decimal digits, a colon, that number of bytes, and a
//! comma. A frame that begins with digits and a colon is a netstring; any other
//! frame is a question. White space before a frame is skipped. A frame whose
//! first 1,024 bytes are all digits is too long to become either of them.

/// The longest question, in a frame of either kind.
const QUESTION_BYTES_MAX: usize = 1024;

/// One question, and how it was framed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Up to and including its `?`.
    Mark(&'a [u8]),
    /// The bytes between the colon and the comma.
    // BEGIN SOLUTION whole
    Netstring(&'a [u8]),
    // STARTER: #[expect(dead_code, reason = "next_frame knows none yet")]
    // STARTER: Netstring(&'a [u8]),
    // END SOLUTION
}

/// What a client is told before it is disconnected.
type Refusal = &'static [u8];

const TOO_LONG: Refusal = b"Error: question too long.";
// BEGIN SOLUTION limit
const BAD_NETSTRING: Refusal = b"Error: bad netstring.";
// END SOLUTION

/// The first complete frame, and its length with the white space before it.
/// None if the frame is not complete yet.
pub(crate) fn next_frame(
    received: &[u8],
) -> Result<Option<(Frame<'_>, usize)>, Refusal> {
    let bytes = received.trim_ascii_start();
    let skipped = received.len() - bytes.len();
    let within_limit = &bytes[..bytes.len().min(QUESTION_BYTES_MAX)];
    // BEGIN SOLUTION whole
    let is_digit = |it: &&u8| it.is_ascii_digit();
    let digits = within_limit.iter().take_while(is_digit).count();
    if digits > 0 && within_limit.get(digits) == Some(&b':') {
        let netstring = next_netstring(bytes, digits)?;
        return Ok(netstring.map(|(frame, n)| (frame, skipped + n)));
    }
    // STARTER: // Recognize a netstring here, and cut it.
    // END SOLUTION
    match within_limit.iter().position(|&byte| byte == b'?') {
        Some(mark) => {
            let question = &bytes[..=mark];
            Ok(Some((Frame::Mark(question), skipped + mark + 1)))
        }
        None if within_limit.len() == QUESTION_BYTES_MAX => Err(TOO_LONG),
        None => Ok(None),
    }
}
// BEGIN SOLUTION whole

/// Cuts a netstring whose length has this many digits.
fn next_netstring(
    bytes: &[u8],
    digits: usize,
) -> Result<Option<(Frame<'_>, usize)>, Refusal> {
    let length = std::str::from_utf8(&bytes[..digits]).unwrap_or_default();
    let length: usize = match length.parse() {
        Ok(length) if length <= QUESTION_BYTES_MAX => length,
        _ => return Err(TOO_LONG),
    };
    let begin = digits + 1;
    match bytes.get(begin + length) {
        None => Ok(None),
        Some(b',') => {
            let question = &bytes[begin..begin + length];
            Ok(Some((Frame::Netstring(question), begin + length + 1)))
        }
        Some(_) => Err(BAD_NETSTRING),
    }
}
// END SOLUTION
