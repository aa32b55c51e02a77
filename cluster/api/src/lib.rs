//! kpkg-api
