//! How many bytes the framer cuts into questions in a second.
//!
//! ```sh
//! cargo bench -p zen-bench --bench framer
//! ```

use divan::counter::BytesCount;
use divan::{Bencher, black_box};

use zen_utils::RECV_BYTES_MAX;
use zen_utils::framing::{Framer, QUESTION_BYTES_MAX};

fn main() {
    divan::main();
}

/// What one recv() returns when a client sends many questions at once.
#[divan::bench(max_time = 2)]
fn short_questions_whole(bencher: Bencher) {
    cut(bencher, &b"Beautiful is better than?".repeat(400), RECV_BYTES_MAX);
}

#[divan::bench(max_time = 2)]
fn short_questions_byte_by_byte(bencher: Bencher) {
    cut(bencher, &b"Beautiful is better than?".repeat(400), 1);
}

#[divan::bench(max_time = 2)]
fn longest_questions(bencher: Bencher) {
    let mut question = [b'x'; QUESTION_BYTES_MAX];
    question[QUESTION_BYTES_MAX - 1] = b'?';
    cut(bencher, &question.repeat(10), RECV_BYTES_MAX);
}

fn cut(bencher: Bencher, stream: &[u8], bytes_at_once: usize) {
    bencher.counter(BytesCount::of_slice(stream)).bench(|| {
        let mut framer = Framer::default();
        for mut piece in black_box(stream).chunks(bytes_at_once) {
            while let Ok(Some(question)) = framer.next_question(&mut piece) {
                black_box(question);
            }
        }
    });
}
