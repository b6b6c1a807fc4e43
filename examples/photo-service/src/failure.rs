//! What goes wrong with a request, as HTTP says it.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use image::ImageError;
use serde_json::json;
use tensorbridge::Error;

/// Why a photo has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The body did not arrive, or is too large.
    Body(BytesRejection),
    /// The body is no photo.
    Photo(ImageError),
    /// The network gave no answer.
    Call(Error),
    /// The program is ending, or wrong.
    Ended,
}

impl Failure {
    /// The status, a code for programs and a text for people. What is inside the server stays there.
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Failure::Body(rejection) => (rejection.status(), "body", rejection.body_text()),
            Failure::Photo(error) => {
                let status = match error {
                    ImageError::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    ImageError::Limits(_) => StatusCode::PAYLOAD_TOO_LARGE,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                };
                (status, "photo", format!("{error}; a JPEG or PNG file is expected"))
            }
            Failure::Call(error) => {
                let (status, text) = match error {
                    Error::Full(_) => (StatusCode::SERVICE_UNAVAILABLE, "too many photos are under way"),
                    Error::Timeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "the network took too long"),
                    Error::WorkerDied { .. } => {
                        (StatusCode::BAD_GATEWAY, "the network cannot survive this photo")
                    }
                    Error::Remote(_) => (StatusCode::BAD_GATEWAY, "the network failed"),
                    _ => (StatusCode::INTERNAL_SERVER_ERROR, "the network is gone"),
                };
                (status, error.code(), text.to_owned())
            }
            Failure::Ended => (StatusCode::INTERNAL_SERVER_ERROR, "ended", "the server is ending".to_owned()),
        }
    }
}

impl From<BytesRejection> for Failure {
    fn from(rejection: BytesRejection) -> Failure {
        Failure::Body(rejection)
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Failure {
        Failure::Photo(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Call(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code, text) = self.parts();
        if status.is_server_error() {
            tracing::error!(%status, failure = ?self, "a photo has no answer");
        }
        let mut response = (status, Json(json!({ "error": text, "code": code }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tensorbridge::Full;

    fn status(failure: Failure) -> u16 {
        failure.into_response().status().as_u16()
    }

    #[test]
    fn each_failure_has_the_status_that_says_whose_it_is() {
        let photo = |content: &[u8]| Failure::from(imagenet::photo::decode(content).unwrap_err());
        assert_eq!(status(photo(b"no photo")), 415);
        assert_eq!(status(photo(b"\xff\xd8\xff\xe0 cut short")), 422);
        let after = Duration::from_secs(1);
        assert_eq!(status(Error::Timeout { what: "the reply", after }.into()), 504);
        assert_eq!(status(Error::WorkerDied { name: String::new(), attempts: 3, reason: "" }.into()), 502);
        assert_eq!(status(Error::HostDied { name: String::new(), pid: 1 }.into()), 500);
        let full = Full { arena: String::new(), slots: 2, waited: after, holders: Vec::new(), budget: None };
        let response = Failure::from(Error::Full(Box::new(full))).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
