//! Virtual resources that answer questions: who am I, what may I do, whose token is this.

use crate::{
    Identity, accept,
    authz::{Attributes, Authorizer},
    failure::Result,
    http::{Call, method_not_allowed},
    identity::{SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNTS},
    path::ReviewPath,
    reply,
};
use axum::body::Body;
use http::{Method, Response, StatusCode};
use kpkg_api::{schema, status::Status, validate::FieldError};
use serde_json::{Value, json};

const AUTHORIZATION: &str = "authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The version of all of them.
pub(crate) const VERSION: &str = "v1";

/// A resource that can only be created, and whose answer is its status.
#[derive(Debug)]
pub(crate) struct Review {
    pub(crate) group: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) namespaced: bool,
}

const fn review(group: &'static str, kind: &'static str, plural: &'static str, singular: &'static str) -> Review {
    Review { group, kind, plural, singular, namespaced: false }
}

static REVIEWS: [Review; 6] = [
    review(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview"),
    review(AUTHENTICATION, "TokenReview", "tokenreviews", "tokenreview"),
    Review {
        namespaced: true,
        ..review(AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", "localsubjectaccessreview")
    },
    review(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview"),
    review(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview"),
    review(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview"),
];

/// All of them.
pub(crate) fn all() -> &'static [Review] {
    &REVIEWS
}

/// The one of that name.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Review> {
    all().iter().find(|review| review.group == group && version == "v1" && review.plural == plural)
}

impl Call<'_> {
    pub(crate) async fn review(&mut self, path: &ReviewPath, body: Body) -> Result<Response<Body>> {
        if *self.method() != Method::POST || path.review.namespaced != path.namespace.is_some() {
            return method_not_allowed();
        }
        let (_, encoding) = accept::objects(&self.parts.headers, self.include()?)?;
        let review = path.review;
        let type_ = schema::type_of(review.group, "v1", review.kind).ok_or_else(Status::path_not_found)?;
        let mut object = self.decode(body, type_).await?.value;
        schema::conform(type_, &mut object).map_err(|error| Status::bad_request(error.to_string()))?;
        object["kind"] = review.kind.into();
        object["apiVersion"] = format!("{}/v1", review.group).into();
        object["metadata"] = json!({});
        object["status"] = match review.kind {
            "SelfSubjectReview" => json!({"userInfo": user_info(&self.identity)}),
            "TokenReview" => self.token_status(&object["spec"]).await,
            "SelfSubjectRulesReview" => rules_status(&*self.server.authorizer, &self.identity),
            "SelfSubjectAccessReview" => access_status(&*self.server.authorizer, &self.identity, &object["spec"])?,
            _ => {
                let subject = subject(&object["spec"])?;
                access_status(&*self.server.authorizer, &subject, &object["spec"])?
            }
        };
        Ok(reply::encoded(StatusCode::CREATED, encoding, &object))
    }

    async fn token_status(&self, spec: &Value) -> Value {
        let audiences: Vec<&str> =
            spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match self.server.identify(spec["token"].as_str().unwrap_or_default(), &audiences).await {
            Ok((identity, claims)) => {
                let valid: Vec<_> = claims
                    .audiences
                    .iter()
                    .filter(|audience| audiences.is_empty() || audiences.contains(&audience.as_str()))
                    .collect();
                let mut user = user_info(&identity);
                user["uid"] = claims.account.uid.into();
                json!({"authenticated": true, "user": user, "audiences": valid})
            }
            Err(why) => json!({"user": {}, "error": format!("[invalid bearer token, {why}]")}),
        }
    }
}

fn user_info(identity: &Identity) -> Value {
    json!({"username": identity.user, "groups": identity.groups})
}

/// Whom a SubjectAccessReview asks about.
fn subject(spec: &Value) -> Result<Identity> {
    let user = spec["user"].as_str().unwrap_or_default();
    let groups: Vec<String> =
        spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if user.is_empty() && groups.is_empty() {
        let fault = FieldError::invalid("spec.user", "", "at least one of user or group must be specified");
        return Err(Status::invalid_kind(AUTHORIZATION, "SubjectAccessReview", "", &[fault]));
    }
    let mut identity = Identity { user: user.to_owned(), groups };
    if identity.user.starts_with(SERVICE_ACCOUNT_PREFIX) && !identity.is_in(SERVICE_ACCOUNTS) {
        identity.groups.push(SERVICE_ACCOUNTS.to_owned());
    }
    Ok(identity)
}

fn access_status(authorizer: &dyn Authorizer, identity: &Identity, spec: &Value) -> Result<Value> {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let resource = &spec["resourceAttributes"];
    let path = &spec["nonResourceAttributes"];
    if resource.is_object() == path.is_object() {
        let fault = FieldError::invalid(
            "spec.resourceAttributes",
            resource.clone(),
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        );
        return Err(Status::invalid_kind(AUTHORIZATION, "SubjectAccessReview", "", &[fault]));
    }
    let from = |key: &str| text(&resource[key]);
    let (group, plural, part, namespace, name) =
        (from("group"), from("resource"), from("subresource"), from("namespace"), from("name"));
    let (verb, path) =
        if resource.is_object() { (from("verb"), String::new()) } else { (text(&path["verb"]), text(&path["path"])) };
    let attributes = Attributes {
        verb: &verb,
        group: &group,
        resource: &plural,
        subresource: &part,
        namespace: &namespace,
        name: &name,
        path: &path,
    };
    Ok(json!({"allowed": authorizer.allows(identity, &attributes)}))
}

fn rules_status(authorizer: &dyn Authorizer, identity: &Identity) -> Value {
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for rule in authorizer.rules(identity) {
        if rule.paths.is_empty() {
            resources.push(json!({"verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources}));
        } else {
            paths.push(json!({"verbs": rule.verbs, "nonResourceURLs": rule.paths}));
        }
    }
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}
