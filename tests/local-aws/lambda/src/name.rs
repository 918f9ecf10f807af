use std::sync::Arc;

use crate::{
    Error,
    function::{LATEST, Pool},
    lambda::Shared,
};

/// A function and the version of it that a request is for.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) pool: Arc<Pool>,
    pub(crate) version: String,
    /// The ARN as the caller named it: with the version only if the caller gave one.
    pub(crate) arn: String,
}

impl Target {
    /// Finds what `name` (name, partial ARN or ARN, each with or without version) and `qualifier` say.
    pub(crate) fn find(shared: &Shared, name: &str, qualifier: Option<&str>) -> Result<Self, Error> {
        let parsed = Name::parse(name);
        check_place(shared, name, &parsed)?;
        let version = one_version(parsed.version, qualifier)?;
        let arn = shared.arn(parsed.function, version);
        let not_found = || Error::ResourceNotFound(arn.clone());
        let pool = shared.pool(parsed.function).ok_or_else(not_found)?;
        let version = version.unwrap_or(LATEST).to_owned();
        if !pool.function.has_version(&version) {
            return Err(not_found());
        }
        Ok(Self { pool, version, arn })
    }
}

/// The parts of a function's name as the Invoke page of the Lambda API reference lists its forms.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    pub(crate) function: &'a str,
    version: Option<&'a str>,
}

impl<'a> Name<'a> {
    pub(crate) fn parse(name: &'a str) -> Self {
        let parts: Vec<&str> = name.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            ["arn", _, "lambda", region, account, "function", rest @ ..] => (Some(*region), Some(*account), rest),
            [account, "function", rest @ ..] => (None, Some(*account), rest),
            rest => (None, None, rest),
        };
        Self { region, account, function: rest.first().unwrap_or(&""), version: rest.get(1).copied() }
    }
}

fn check_place(shared: &Shared, name: &str, parsed: &Name) -> Result<(), Error> {
    if parsed.region.is_some_and(|region| region != shared.options.region) {
        return Err(Error::ResourceNotFound(name.to_owned()));
    }
    if parsed.account.is_some_and(|account| account != shared.options.account) {
        return Err(Error::AccessDenied(name.to_owned()));
    }
    Ok(())
}

fn one_version<'a>(name: Option<&'a str>, qualifier: Option<&'a str>) -> Result<Option<&'a str>, Error> {
    match (name, qualifier) {
        (Some(name), Some(qualifier)) if name != qualifier => Err(Error::InvalidParameterValue(
            "The derived qualifier from the function name does not match the specified qualifier.".into(),
        )),
        (name, qualifier) => Ok(qualifier.or(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_is_taken_apart() {
        let name = |region, account, version| Name { region, account, function: "f", version };
        assert_eq!(Name::parse("f"), name(None, None, None));
        assert_eq!(Name::parse("f:7"), name(None, None, Some("7")));
        assert_eq!(Name::parse("1:function:f"), name(None, Some("1"), None));
        assert_eq!(Name::parse("arn:aws:lambda:r:1:function:f:7"), name(Some("r"), Some("1"), Some("7")));
    }

    #[test]
    fn two_different_versions_are_refused() {
        assert_eq!(one_version(Some("1"), Some("1")), Ok(Some("1")));
        assert_eq!(one_version(None, Some("2")), Ok(Some("2")));
        assert!(one_version(Some("1"), Some("2")).is_err());
    }
}
