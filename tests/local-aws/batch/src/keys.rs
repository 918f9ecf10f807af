use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in an event's key: the set of Java's `URLEncoder`, and the slash.
/// Whether AWS leaves the slash alone is not documented; decoding gives the same key either way.
const EVENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_').remove(b'/').remove(b' ');

/// The key a manifest's cell stands for: percent-decoded, and `+` is a plus.
/// `None` if an escape is incomplete or the bytes are not UTF-8.
pub(crate) fn decode_cell(cell: &str) -> Option<String> {
    let mut escapes = cell.split('%').skip(1);
    let whole = escapes.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    whole.then(|| percent_decode_str(cell).decode_utf8().ok().map(Into::into)).flatten()
}

/// The key as Batch Operations writes it into an event: form-encoded, a space is `+`.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html>.
pub(crate) fn form_encode(key: &str) -> String {
    utf8_percent_encode(key, EVENT).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::{decode_cell, form_encode};

    #[test]
    fn cells_are_decoded_once_and_strictly() {
        assert_eq!(decode_cell("a%20b%2Bc+d/%C3%A9%2520").unwrap(), "a b+c+d/é%20");
        for cell in ["%", "a%2", "%zz", "%é", "%ff"] {
            assert_eq!(decode_cell(cell), None, "{cell}");
        }
    }

    #[test]
    fn events_carry_form_encoded_keys() {
        assert_eq!(form_encode("a b+c%d&é\",/x"), "a+b%2Bc%25d%26%C3%A9%22%2C/x");
    }
}
