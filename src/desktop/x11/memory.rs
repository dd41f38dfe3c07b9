//! Memory shared with the X server: a sealed memfd, so nothing is left behind however this process ends, and no other user can look.

use std::{io, ptr::NonNull};

use rustix::{
    fd::OwnedFd,
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// A mapping that the X server may write at any time, so it is never lent as a slice: bytes are copied out.
pub(super) struct SharedMemory {
    address: NonNull<u8>,
    len: usize,
}

impl SharedMemory {
    /// `len` bytes, and the descriptor to give to the server.
    pub(super) fn new(len: usize) -> io::Result<(Self, OwnedFd)> {
        let fd = memfd_create("rs-screen", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&fd, len.try_into().map_err(io::Error::other)?)?;
        // No one can shrink it, so the mapping stays readable.
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok((Self { address: map(&fd, len)?, len }, fd))
    }

    /// How many bytes it holds.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Copies `target.len()` bytes from `offset` on.
    #[expect(unsafe_code, reason = "shared memory has no safe interface")]
    pub(super) fn copy_to(&self, offset: usize, target: &mut [u8]) {
        assert!(offset.checked_add(target.len()).is_some_and(|end| end <= self.len), "inside the mapping");
        // SAFETY: the range is inside the mapping (asserted), which lives as long as `self` and cannot shrink (sealed); `target` is
        // memory of our own. The server writes only while it answers our requests, and we copy between them; should it write all
        // the same, the bytes are wrong but still bytes.
        unsafe { self.address.as_ptr().add(offset).copy_to_nonoverlapping(target.as_mut_ptr(), target.len()) }
    }
}

#[expect(unsafe_code, reason = "shared memory has no safe interface")]
fn map(fd: &OwnedFd, len: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
    let address = unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, fd, 0) }?;
    NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

impl Drop for SharedMemory {
    #[expect(unsafe_code, reason = "shared memory has no safe interface")]
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made in `new`; no reference into it exists (`copy_to` only copies).
        // An error would mean that it is not mapped, which changes nothing.
        let _ = unsafe { munmap(self.address.as_ptr().cast(), self.len) };
    }
}
