//! A Kubernetes client that is a function call.

use axum::{Router, body::Body};
use http::{Request, Response};
use kpkg_apiserver::Identity;
use tower::ServiceExt;

/// A client that calls `router` as `identity`, without sockets or TLS.
///
/// It must be made on the runtime that uses it: a call then never leaves the thread.
pub(crate) fn client(router: Router, identity: Identity) -> kube::Client {
    let service = router
        .map_request(move |request: Request<kube::client::Body>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(identity.clone());
            request
        })
        .map_response(|response: Response<Body>| response);
    kube::Client::new(service, "default")
}
