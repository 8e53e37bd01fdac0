//! A secret can't be shown: by type where the compiler can tell, by what is printed where it can't.

use std::fmt::Display;
use std::marker::PhantomData;

use dhow_secrets::{Fetched, SecretsError, extract};
use dhow_text::redact::{Redactor, Secret};
use serde::Serialize;

/// Tells whether `T` has a trait: a constant of its own hides the one of the fallback where the bound holds.
struct Has<T>(PhantomData<T>);

trait Fallback {
    const DISPLAY: bool = false;
    const SERIALIZE: bool = false;
}

impl<T> Fallback for Has<T> {}

impl<T: Display> Has<T> {
    const DISPLAY: bool = true;
}

impl<T: Serialize> Has<T> {
    const SERIALIZE: bool = true;
}

/// If one of these came true, the program would no longer compile.
const _: () = {
    assert!(!Has::<Secret>::DISPLAY && !Has::<Secret>::SERIALIZE);
    assert!(!Has::<Fetched>::DISPLAY && !Has::<Fetched>::SERIALIZE);
    assert!(!Has::<Redactor>::DISPLAY && !Has::<Redactor>::SERIALIZE);
    // And the question is one that can be answered with yes.
    assert!(Has::<String>::DISPLAY && Has::<String>::SERIALIZE);
};

#[test]
fn debug_texts_hold_no_value() {
    let secret = Secret::new("hunter2hunter2");
    let json = Secret::new(r#"{"A":"hunter2hunter2"}"#);
    let error: SecretsError = extract("B", &json).unwrap_err();
    for text in [
        format!("{secret:?} {secret:#?}"),
        format!("{:?}", [Some(secret.clone())]),
        format!("{:?}", Redactor::new([secret])),
        format!("{:?}", extract("A", &json)),
        format!("{error:?} {error}"),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}
