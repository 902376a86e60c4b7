//! Tests of the sources as they are shipped, and of the engine through its public face.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod format;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod mentions;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod readmes;
#[cfg(test)]
mod registries;
#[cfg(test)]
mod source_page;
#[cfg(test)]
mod text;
#[cfg(test)]
mod tools;
