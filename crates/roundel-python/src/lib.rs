//! The extension module `roundel._roundel`.
