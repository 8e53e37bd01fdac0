//! The kept corpora, and damaged copies of them that are the same in every run: what the plain tests of `crates/config` and
//! `crates/proxy`, which include this file, feed to what the fuzzers fuzz.

use std::path::Path;

/// A corpus, each line of it made into bytes.
pub(crate) fn corpus(target: &str, into_bytes: impl Fn(String) -> Vec<u8>) -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(format!("{target}.jsonl"));
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let corpus: Vec<_> = lines.map(into_bytes).collect();
    assert!(corpus.len() > 20, "{} in {target}", corpus.len());
    corpus
}

/// So many damaged copies, or as many as `FUZZ_DAMAGED` asks for. A failure is one of the code, never of the machine.
pub(crate) fn damaged(corpus: &[Vec<u8>], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let count = match std::env::var("FUZZ_DAMAGED") {
        Ok(count) => count.parse().expect("FUZZ_DAMAGED is a number"),
        Err(_) => count,
    };
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    (0..count).map(move |_| {
        let one = &corpus[numbers.below(corpus.len())];
        let other = &corpus[numbers.below(corpus.len())];
        damage(one, other, &mut numbers)
    })
}

/// Takes out, doubles, flips, puts in pieces of another text, and now and then cuts off.
fn damage(one: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut data = one.to_vec();
    for _ in 0..=numbers.below(5) {
        let at = numbers.below(data.len() + 1);
        let end = (at + 1 + numbers.below(24)).min(data.len()).max(at);
        match numbers.below(4) {
            0 => drop(data.drain(at..end)),
            1 => {
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            2 => {
                let from = numbers.below(other.len() + 1);
                let to = (from + numbers.below(40)).min(other.len());
                data.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
        }
    }
    if numbers.below(8) == 0 {
        data.truncate(numbers.below(data.len() + 1));
    }
    data
}

/// A small generator of repeatable numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}
