//! The transforms: 8x8 for luma, and for the colour planes a 16x16 transform of which only the lowest 8x8 frequencies exist, which
//! is chroma at half resolution without a separate step down and up.
//!
//! Integers, with the basis of HEVC: the two sides must agree to the bit. Coefficients are in the units of the orthonormal
//! transform, where an error weighs the same in every coefficient and in every pixel.

use super::plane::{Block, SIDE};

/// Coefficients of a block, row by row: 8 rows of 8 frequencies.
pub(super) type Coefficients = [i32; 64];

/// The larger a coefficient, the more a hostile stream could make the sums of the inverse transform overflow: clamped to what
/// real pixels can reach.
const LARGEST: i32 = 8191;

/// The lowest 8 of the 16-point basis functions, times 64 * 4.
const BASIS16: [[i32; 16]; 8] = [
    [64; 16],
    [90, 87, 80, 70, 57, 43, 25, 9, -9, -25, -43, -57, -70, -80, -87, -90],
    [89, 75, 50, 18, -18, -50, -75, -89, -89, -75, -50, -18, 18, 50, 75, 89],
    [87, 57, 9, -43, -80, -90, -70, -25, 25, 70, 90, 80, 43, -9, -57, -87],
    [83, 36, -36, -83, -83, -36, 36, 83, 83, 36, -36, -83, -83, -36, 36, 83],
    [80, 9, -70, -87, -25, 57, 90, 43, -43, -90, -57, 25, 87, 70, -9, -80],
    [75, -18, -89, -50, 50, 89, 18, -75, -75, 18, 89, 50, -50, -89, -18, 75],
    [70, -43, -87, 9, 90, 25, -80, -57, 57, 80, -25, -90, -9, 87, 43, -70],
];

/// The 8-point basis functions, times 64 * sqrt(8).
const BASIS8: [[i32; 8]; 8] = [
    [64; 8],
    [89, 75, 50, 18, -18, -50, -75, -89],
    [83, 36, -36, -83, -83, -36, 36, 83],
    [75, -18, -89, -50, 50, 89, 18, -75],
    [64, -64, -64, 64, 64, -64, -64, 64],
    [50, -89, 18, 75, -75, -18, 89, -50],
    [36, -83, 83, -36, -36, 83, -83, 36],
    [18, -50, 75, -89, 89, -75, 50, -18],
];

/// Coefficients of the `N` x `N` pixels from `at` on in a macroblock, as orthonormal ones times 64.
#[inline(always)]
fn forward<const N: usize>(pixels: &Block, at: usize, basis: &[[i32; N]; 8], shift: u32) -> Coefficients {
    // Columns first: 8 frequencies down for each of N columns.
    let mut down = [[0i32; N]; 8];
    for (down, basis) in down.iter_mut().zip(basis) {
        for (row, factor) in basis.iter().enumerate() {
            let start = at + row * SIDE;
            let line = &pixels[start..start + N];
            for x in 0..N {
                down[x] += factor * i32::from(line[x]);
            }
        }
    }
    // Then rows, transposed so that the inner loop has one frequency across in each lane.
    let mut out = [0; 64];
    for (out, down) in out.as_chunks_mut::<8>().0.iter_mut().zip(&down) {
        let mut sums = [0i32; 8];
        for x in 0..N {
            for (u, sum) in sums.iter_mut().enumerate() {
                *sum += basis[u][x] * down[x];
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = (sum + (1 << (shift - 1))) >> shift;
        }
    }
    out
}

/// Adds the pixels of `coefficients` to the `N` x `N` pixels from `at` on.
#[inline(always)]
fn inverse<const N: usize>(coefficients: &Coefficients, pixels: &mut Block, at: usize, basis: &[[i32; N]; 8], shift: u32) {
    let mut down = [[0i32; 8]; N];
    for (v, line) in coefficients.as_chunks::<8>().0.iter().enumerate() {
        for (y, down) in down.iter_mut().enumerate() {
            let factor = basis[v][y];
            for u in 0..8 {
                down[u] += factor * line[u].clamp(-LARGEST, LARGEST);
            }
        }
    }
    for (y, down) in down.iter().enumerate() {
        let mut sums = [1i32 << (shift - 1); N];
        for u in 0..8 {
            let value = (down[u] + 32) >> 6;
            for x in 0..N {
                sums[x] += basis[u][x] * value;
            }
        }
        let start = at + y * SIDE;
        let line = &mut pixels[start..start + N];
        for x in 0..N {
            line[x] = line[x].saturating_add((sums[x] >> shift).clamp(-1024, 1024) as i16);
        }
    }
}

/// A plane's coefficients for one of the macroblock's 6 blocks, times 64.
#[inline(always)]
pub(super) fn analyse(pixels: &Block, block: usize) -> Coefficients {
    if block < 4 { forward(pixels, corner(block), &BASIS8, 9) } else { forward(pixels, 0, &BASIS16, 10) }
}

/// Adds a block's coefficients to its plane.
#[inline(always)]
pub(super) fn synthesise(coefficients: &Coefficients, pixels: &mut Block, block: usize) {
    if block < 4 {
        inverse(coefficients, pixels, corner(block), &BASIS8, 9);
    } else {
        inverse(coefficients, pixels, 0, &BASIS16, 10);
    }
}

/// Where one of the four luma blocks starts.
const fn corner(block: usize) -> usize {
    (block & 1) * 8 + (block >> 1) * 8 * SIDE
}
