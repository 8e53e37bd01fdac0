//! Numbers in Psych's spellings, and floats in Ruby's.
//!
//! In: text that may be a number. Out: the number, or nothing if the text has another form.

use super::Value;

/// `12:30`, `1:02:03`, `22:30.5`: the first part counts 3600, the second 60, the third 1, whatever they were meant to be.
pub(super) fn sexagesimal(text: &str) -> Option<Value> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    if fraction.is_some_and(|f| !f.bytes().all(|b| b.is_ascii_digit() || b == b'_')) {
        return None;
    }
    let mut parts = whole.split(':');
    let head = parts.next()?;
    let unsigned = head.strip_prefix(['-', '+']).unwrap_or(head);
    let mut digits = unsigned.bytes();
    if !digits.next()?.is_ascii_digit() || !digits.all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let tail: Vec<&str> = parts.collect();
    let sixty = |part: &&str| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    };
    if !(1..=2).contains(&tail.len()) || !tail.iter().all(sixty) {
        return None;
    }
    let weights = [60, 1];
    if let Some(fraction) = fraction {
        // Only the last part has the fraction.
        let mut sum = leading_number(head).parse::<f64>().ok()? * 3600.0;
        for (at, part) in tail.iter().enumerate() {
            let text = if at + 1 == tail.len() {
                format!("{part}.{}", leading_number(fraction))
            } else {
                (*part).to_owned()
            };
            let weight = weights.get(at).copied().unwrap_or(1);
            sum += text.trim_end_matches('.').parse::<f64>().ok()? * f64::from(weight);
        }
        return Some(Value::Float(sum));
    }
    let mut sum = leading_number(head)
        .parse::<i128>()
        .ok()?
        .checked_mul(3600)?;
    for (part, weight) in tail.iter().zip(weights) {
        sum = sum.checked_add(part.parse::<i128>().ok()? * i128::from(weight))?;
    }
    Some(from_i128(sum))
}

/// The text Ruby's `Float()` would get, if this has a float's form: commas and underscores gone, no bare dot.
pub(super) fn float_text(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = unsigned.split_once('.')?;
    let mut bytes = whole.bytes();
    if let Some(first) = bytes.next()
        && (!first.is_ascii_digit() || !bytes.all(|b| b.is_ascii_digit() || b == b'_' || b == b','))
    {
        return None;
    }
    let fraction_end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (fraction, exponent) = rest.split_at(fraction_end);
    if !exponent.is_empty() {
        let digits = exponent
            .strip_prefix(['e', 'E'])?
            .strip_prefix(['-', '+'])?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    if whole.is_empty() && fraction.is_empty() && exponent.is_empty() {
        return None;
    }
    let text = text.replace([',', '_'], "");
    Some(if fraction.is_empty() {
        text.replacen('.', "", 1)
    } else {
        text
    })
}

/// An integer in base 2, 8, 10 or 16. `Err` holds the text Ruby's `Integer()` refuses (`0b_`).
pub(super) fn integer(text: &str) -> Option<Result<Value, String>> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let filled = |digits: &str, ok: fn(&u8) -> bool| {
        !digits.is_empty() && digits.bytes().all(|b| ok(&b) || b == b'_' || b == b',')
    };
    let (radix, digits) = if let Some(digits) = unsigned.strip_prefix("0b")
        && filled(digits, |b| matches!(b, b'0' | b'1'))
    {
        (2, digits)
    } else if let Some(digits) = unsigned.strip_prefix("0x")
        && filled(digits, u8::is_ascii_hexdigit)
    {
        (16, digits)
    } else if let Some(digits) = unsigned.strip_prefix('0')
        && filled(digits, |b| (b'0'..=b'7').contains(b))
    {
        (8, digits)
    } else if decimal(unsigned) {
        (10, unsigned)
    } else {
        return None;
    };
    let bare = digits.replace(['_', ','], "");
    if bare.is_empty() && radix != 8 {
        return Some(Err(text.replace(['_', ','], "")));
    }
    let sign = if negative { "-" } else { "" };
    let value = match i128::from_str_radix(&format!("{sign}0{bare}"), radix) {
        Ok(number) => from_i128(number),
        Err(_) => Value::BigInt(format!("{sign}{}", to_decimal(&bare, radix))),
    };
    Some(Ok(value))
}

/// Ruby's `Float#to_s`: `2.0`, `0.0001`, `1.0e-05`, `1.0e+16`, `Infinity`.
pub fn ruby_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        let text = format!("{value}");
        return if text.contains('.') {
            text
        } else {
            format!("{text}.0")
        };
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let dot = if digits.contains('.') { "" } else { ".0" };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ("-", exponent),
        None => ("+", exponent),
    };
    format!("{digits}{dot}e{sign}{exponent:0>2}")
}

/// `0`, or digits with single `_` or `,` between them.
fn decimal(text: &str) -> bool {
    if text == "0" {
        return true;
    }
    let mut bytes = text.bytes().peekable();
    if !bytes.next().is_some_and(|b| (b'1'..=b'9').contains(&b)) {
        return false;
    }
    while let Some(byte) = bytes.next() {
        let separated =
            matches!(byte, b'_' | b',') && bytes.next().is_some_and(|b| b.is_ascii_digit());
        if !byte.is_ascii_digit() && !separated {
            return false;
        }
    }
    true
}

/// The digits Ruby's `to_i` would read: single underscores are skipped, anything else ends the number.
fn leading_number(text: &str) -> String {
    let mut out = String::new();
    let mut underscore = false;
    for c in text.chars() {
        match c {
            '+' | '-' if out.is_empty() => out.extend((c == '-').then_some(c)),
            '_' if !underscore => underscore = true,
            c if c.is_ascii_digit() => {
                underscore = false;
                out.push(c);
            }
            _ => break,
        }
    }
    if out.is_empty() { "0".to_owned() } else { out }
}

fn from_i128(number: i128) -> Value {
    match i64::try_from(number) {
        Ok(small) => Value::Int(small),
        Err(_) => Value::BigInt(number.to_string()),
    }
}

/// Any number of digits of base 2, 8, 10 or 16 in decimal.
fn to_decimal(digits: &str, radix: u32) -> String {
    if radix == 10 {
        let trimmed = digits.trim_start_matches('0');
        return if trimmed.is_empty() { "0" } else { trimmed }.to_owned();
    }
    // Base 10^9, least significant first.
    let mut limbs: Vec<u64> = vec![0];
    for digit in digits.chars().filter_map(|c| c.to_digit(radix)) {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            let value = *limb * u64::from(radix) + carry;
            *limb = value % 1_000_000_000;
            carry = value / 1_000_000_000;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut out = String::new();
    for limb in limbs.iter().rev() {
        if out.is_empty() {
            out = limb.to_string();
        } else {
            out = format!("{out}{limb:09}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_ruby_writes_them() {
        for (value, text) in [
            (0.5, "0.5"),
            (1.10, "1.1"),
            (2.0, "2.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1.0e+16"),
            (1.25e-5, "1.25e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1e100, "1.0e+100"),
        ] {
            assert_eq!(ruby_float(value), text);
        }
    }

    #[test]
    fn integers_of_any_length() {
        let big = format!("0x{}", "f".repeat(40));
        assert_eq!(
            integer(&big),
            Some(Ok(Value::BigInt(
                "1461501637330902918203684832716283019655932542975".into()
            )))
        );
    }
}
