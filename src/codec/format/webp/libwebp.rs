//! Calls the encoder of libwebp, alone in the crate. C code sees only our own pixels, never received bytes.
#![expect(unsafe_code, reason = "libwebp is the only good lossy WebP encoder, and it is C")]

use crate::codec::error::CodecError;
use crate::limits::Cancel;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Quality};
use libwebp_sys as webp;
use std::ffi::c_int;
use std::ptr;

/// Encodes RGB or RGBA pixels.
pub(in crate::codec) fn encode(
    pixels: &Pixels,
    quality: Quality,
    effort: Effort,
    cancel: &Cancel,
) -> Result<Vec<u8>, CodecError> {
    let defect = |what: &str| CodecError::Internal(format!("WebP: {what}"));
    let mut config = webp::WebPConfig::new().map_err(|()| defect("no configuration"))?;
    config.quality = f32::from(quality.get());
    config.alpha_quality = 100;
    config.method = match effort {
        Effort::Fast => 0,
        // Half of the time of method 4 for 2 % more bytes, and without its tokens in memory.
        Effort::Balanced => 2,
        Effort::Smallest => 6,
    };
    config.low_memory = c_int::from(keeps_no_tokens(u64::from(pixels.width()) * u64::from(pixels.height())));
    let mut picture = LibwebpPicture::new().ok_or_else(|| defect("no picture"))?;
    if !picture.import(pixels) {
        return Err(defect("no memory for the planes"));
    }
    let encoded = picture.encode(&config, cancel);
    if encoded.is_err() {
        cancel.check()?;
    }
    encoded.map_err(|code| defect(&format!("{code:?}")))
}

/// Largest picture whose tokens `effort=smallest` keeps in memory, in pixels.
const TOKEN_PIXELS: u64 = 4 << 20;

fn keeps_no_tokens(pixels: u64) -> bool {
    pixels > TOKEN_PIXELS
}

/// Most bytes that an encoder holds beside the pixels, one file included; measured with noise at quality 100.
pub(in crate::codec) fn memory(pixels: u64, has_alpha: bool, effort: Effort) -> u64 {
    let tokens = if effort == Effort::Smallest && !keeps_no_tokens(pixels) { 22 } else { 0 };
    // The alpha plane is compressed as a lossless picture.
    let alpha = if has_alpha { 20 } else { 0 };
    pixels * (5 + tokens + alpha)
}

/// Owns the memory that libwebp allocates for a picture.
struct LibwebpPicture(webp::WebPPicture);

impl LibwebpPicture {
    fn new() -> Option<LibwebpPicture> {
        webp::WebPPicture::new().ok().map(LibwebpPicture)
    }

    fn import(&mut self, pixels: &Pixels) -> bool {
        let stride = pixels.row_len() as c_int;
        self.0.width = pixels.width() as c_int;
        self.0.height = pixels.height() as c_int;
        let data = pixels.data().as_ptr();
        // SAFETY: the picture is initialised, and `data` holds `height` rows of `stride` bytes, which
        // `Pixels` guarantees for the channels that choose the call.
        let done = unsafe {
            match pixels.channels() {
                Channels::Rgb => webp::WebPPictureImportRGB(&mut self.0, data, stride),
                Channels::Rgba => webp::WebPPictureImportRGBA(&mut self.0, data, stride),
                Channels::Gray | Channels::GrayAlpha => 0,
            }
        };
        done != 0
    }

    fn encode(
        &mut self,
        config: &webp::WebPConfig,
        cancel: &Cancel,
    ) -> Result<Vec<u8>, webp::WebPEncodingError> {
        let mut bytes: Vec<u8> = Vec::new();
        self.0.writer = Some(append);
        self.0.custom_ptr = ptr::from_mut(&mut bytes).cast();
        self.0.progress_hook = Some(proceed);
        self.0.user_data = ptr::from_ref(cancel).cast_mut().cast();
        // SAFETY: both pointers are valid for the call, and the picture has been imported. `append` gets back the pointer
        // to `bytes`, which has no other user until the call returns. `proceed` only reads through that to `cancel`.
        let done = unsafe { webp::WebPEncode(config, &mut self.0) };
        self.0.custom_ptr = ptr::null_mut();
        self.0.user_data = ptr::null_mut();
        if done == 0 { Err(self.0.error_code) } else { Ok(bytes) }
    }
}

impl Drop for LibwebpPicture {
    fn drop(&mut self) {
        // SAFETY: the picture was initialised by `WebPPicture::new` and is freed once.
        unsafe { webp::WebPPictureFree(&mut self.0) }
    }
}

/// Called by libwebp after each part of its work; 0 stops it.
unsafe extern "C" fn proceed(_percent: c_int, picture: *const webp::WebPPicture) -> c_int {
    // SAFETY: libwebp passes the picture whose `user_data` `encode` has set.
    let cancel = unsafe { &*(*picture).user_data.cast::<Cancel>() };
    c_int::from(cancel.check().is_ok())
}

/// Called by libwebp with each piece of the file; 0 stops it.
unsafe extern "C" fn append(data: *const u8, len: usize, picture: *const webp::WebPPicture) -> c_int {
    if len == 0 {
        return 1;
    }
    // SAFETY: libwebp passes `len` bytes at `data` and the picture whose `custom_ptr` `encode` has set.
    let (piece, bytes) =
        unsafe { (std::slice::from_raw_parts(data, len), &mut *(*picture).custom_ptr.cast::<Vec<u8>>()) };
    if bytes.try_reserve(len).is_err() {
        return 0;
    }
    bytes.extend_from_slice(piece);
    1
}
