//! kpkg-runtime
