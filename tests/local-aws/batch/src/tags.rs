use std::collections::BTreeMap;

use crate::{error::ApiError, xml::Element};

/// Most tags of a job (UG/batch-ops-job-tags).
const TAGS_MAX: usize = 50;
/// Most characters of a tag's key (API_control_S3Tag).
const KEY_MAX: usize = 128;
/// Most characters of a tag's value (API_control_S3Tag).
const VALUE_MAX: usize = 256;

/// The tags in a `Tags` element; `too_many` is the code for more than 50.
pub(crate) fn read(list: &Element, too_many: &'static str) -> Result<BTreeMap<String, String>, ApiError> {
    let items = list.list(&["member", "S3Tag"])?;
    if items.len() > TAGS_MAX {
        return Err(ApiError::refused(too_many, format!("a job has at most {TAGS_MAX} tags, not {}", items.len())));
    }
    let mut tags = BTreeMap::new();
    for item in items {
        let (key, value) = read_one(item)?;
        if tags.insert(key.clone(), value).is_some() {
            return Err(ApiError::bad_request(format!("the tag {key} is given twice")));
        }
    }
    Ok(tags)
}

/// A `Tags` element.
pub(crate) fn element(tags: &BTreeMap<String, String>) -> Element {
    let member = |(key, value)| Element::new("member").leaf("Key", key).leaf("Value", value);
    Element::new("Tags").with_all(tags.iter().map(member))
}

fn read_one(item: &Element) -> Result<(String, String), ApiError> {
    item.only(&["Key", "Value"])?;
    let part = |name| item.child(name).map(|child| child.text.clone());
    let key = part("Key").ok_or_else(|| ApiError::bad_request("a tag has no Key"))?;
    let value = part("Value").ok_or_else(|| ApiError::bad_request("a tag has no Value"))?;
    let fits = (1..=KEY_MAX).contains(&key.chars().count()) && value.chars().count() <= VALUE_MAX;
    if !fits {
        return Err(ApiError::bad_request(format!(
            "a tag has a key of 1 to {KEY_MAX} characters and a value of at most {VALUE_MAX}: {key}"
        )));
    }
    match key.chars().chain(value.chars()).find(|character| !is_allowed(*character)) {
        Some(other) => Err(ApiError::bad_request(format!("a tag may not hold the character {other:?}: {key}"))),
        None => Ok((key, value)),
    }
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::{element, read};
    use crate::xml::Element;

    fn tags(pairs: &[(&str, &str)]) -> Element {
        let item = |(key, value): &(&str, &str)| Element::new("S3Tag").leaf("Key", key).leaf("Value", value);
        Element::new("Tags").with_all(pairs.iter().map(item))
    }

    #[test]
    fn tags_are_read_by_either_name_and_written_as_members() {
        let read = read(&tags(&[("b", ""), ("a é_.:/=+-@", "1")]), "X").unwrap();
        assert_eq!(element(&read).children.iter().map(|child| child.name.as_str()).collect::<Vec<_>>(), ["member"; 2]);
        assert_eq!(read["a é_.:/=+-@"], "1");
    }

    #[test]
    fn limits_are_kept() {
        let long = |n: usize| "x".repeat(n);
        assert!(read(&tags(&[(&long(128), &long(256))]), "X").is_ok());
        for pairs in [
            [(long(129), "".into())],
            [("".into(), "".into())],
            [("a".into(), long(257))],
            [("a#".into(), "".into())],
            [("a".into(), "{".into())],
        ] {
            let pairs: Vec<(&str, &str)> =
                pairs.iter().map(|(key, value): &(String, String)| (key.as_str(), value.as_str())).collect();
            assert_eq!(read(&tags(&pairs), "X").unwrap_err().code, "BadRequestException", "{pairs:?}");
        }
        assert!(read(&tags(&[("a", "1"), ("a", "2")]), "X").is_err());
    }

    #[test]
    fn fifty_is_the_most() {
        let names: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(read(&tags(&pairs[..50]), "TooMany").unwrap().len(), 50);
        assert_eq!(read(&tags(&pairs), "TooMany").unwrap_err().code, "TooMany");
    }
}
