//! kpkg-server
