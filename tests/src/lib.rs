//! kpkg-tests
