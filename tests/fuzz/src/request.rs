use domain::request::Request;

use crate::silence;

/// A request that waits, as it was written down.
pub fn request(data: &[u8]) {
    match Request::parse(data) {
        Ok(request) => assert_eq!(Request::parse(&request.to_json()), Ok(request), "as it was written"),
        Err(refusal) => silence::check(&refusal, data),
    }
}
