//! kpkg-template
