use super::{create, update};
