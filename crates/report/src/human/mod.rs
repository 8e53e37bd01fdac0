//! For a person: what each host does now, what was worth a line, a summary, and errors last.

mod board;
mod ending;
mod fold;
mod live;

pub(crate) use fold::Human;

#[cfg(test)]
mod tests;
