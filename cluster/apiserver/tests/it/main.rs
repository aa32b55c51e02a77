//! The API server as clients see it: in-process through the router, through `kube::Client`, and by the real kubectl.

mod access;
mod applies;
mod client;
mod customs;
mod deletes;
mod discovery;
mod kit;
mod kubectl;
mod lists;
mod objects;
mod patches;
mod pods;
mod proxy;
mod security;
mod services;
mod subresources;
mod tables;
mod watches;
