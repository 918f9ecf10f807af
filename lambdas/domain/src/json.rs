//! JSON as it came. Where an object names something twice, one reader takes the first value and another the last; what
//! two readers understand differently is no request.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A JSON value, and whether an object anywhere in it names something twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// The value, with the last of what is named twice.
    pub value: Value,
    /// Whether an object names something twice.
    pub is_ambiguous: bool,
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self { value, is_ambiguous: false }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut is_ambiguous = false;
        let value = Reader(&mut is_ambiguous).deserialize(deserializer)?;
        Ok(Self { value, is_ambiguous })
    }
}

/// Reads a value, and notes whether something in it is named twice.
struct Reader<'a>(&'a mut bool);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Reader(self.0))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(Reader(self.0))?;
            *self.0 |= object.insert(name, value).is_some();
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn is_ambiguous(text: &str) -> bool {
        serde_json::from_str::<Json>(text).unwrap().is_ambiguous
    }

    #[test]
    fn what_is_named_twice_is_noticed_wherever_it_is() {
        assert!(is_ambiguous(r#"{"dryRun":true,"dryRun":false}"#));
        assert!(is_ambiguous(r#"{"dryRun":true,"dryRu\u006e":true}"#));
        assert!(is_ambiguous(r#"[1,{"a":{"b":0,"c":1,"b":0}}]"#));
        assert!(!is_ambiguous(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#));
        assert!(serde_json::from_str::<Json>("{\"a\":").is_err());
    }

    proptest! {
        /// Beside that it is the value that everybody else reads.
        #[test]
        fn it_is_read_as_serde_json_reads_it(texts in proptest::collection::vec(".*", 0..4), number: i64, float: f64) {
            let value = json!({"texts": texts, "number": number, "float": float, "none": null, "deep": [[{"is": true}]]});
            let read: Json = serde_json::from_str(&value.to_string()).unwrap();
            prop_assert_eq!(read, Json::from(value));
        }
    }
}
