//! Operations keep within the memory that admission reserved for them: counted by the allocator.
#![allow(missing_docs, clippy::unwrap_used)]
#![expect(unsafe_code, reason = "an allocator that counts is one")]

use imgsrv::internals::ops;
use imgsrv::internals::pixels::{Channels, Pixels};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(held, Ordering::SeqCst);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: `place` came from `alloc` above with this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const OPERATIONS: &str = "grayscale,invert,brightness:40,contrast:30,saturation:50,hue:90,gamma:2.2,sepia,threshold:120,\
                          blur:0.8,blur:2.5,blur:40,sharpen:1.5,median:1,median:5,median:30,denoise:10,edges:90:180,corners,\
                          sift,erode:2,dilate:20,equalize,pixelate:7";

fn picture(width: u32, height: u32, channels: Channels) -> Pixels {
    let len = width as usize * height as usize * channels.count();
    let sample = |i: usize| ((i / channels.count() / 9 * 83) ^ (i * 7)) as u8;
    Pixels::new(width, height, channels, (0..len).map(sample).collect()).unwrap()
}

/// One test alone in this binary, so that nobody else allocates.
#[test]
fn no_operation_takes_more_memory_than_was_reserved_for_it() {
    let spec = Options::parse(format!("ops={OPERATIONS}").as_bytes(), &Spec::default()).unwrap().spec;
    let limits = Limits::default();
    for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
        for (width, height) in [(1, 1), (1, 300), (300, 1), (320, 240), (641, 127)] {
            for op in &spec.ops {
                let pixels = picture(width, height, channels);
                let before = HELD.load(Ordering::SeqCst);
                PEAK.store(before, Ordering::SeqCst);
                let result = ops::apply(pixels, op, &limits).unwrap();
                let taken = (PEAK.load(Ordering::SeqCst) - before) as u64;
                let reserved = ops::memory(op, width, height, channels);
                assert!(
                    taken <= reserved,
                    "{op:?} {width}x{height} {channels:?}: {taken} of {reserved} bytes"
                );
                drop(result);
            }
        }
    }
}
