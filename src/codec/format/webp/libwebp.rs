//! Calls the encoder of libwebp, alone in the crate. C code sees only our own pixels, never received bytes.
#![expect(unsafe_code, reason = "libwebp is the only good lossy WebP encoder, and it is C")]

use crate::codec::error::CodecError;
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
) -> Result<Vec<u8>, CodecError> {
    let defect = |what: &str| CodecError::Internal(format!("WebP: {what}"));
    let mut config = webp::WebPConfig::new().map_err(|()| defect("no configuration"))?;
    config.quality = f32::from(quality.get());
    config.alpha_quality = 100;
    config.method = match effort {
        Effort::Fast => 0,
        Effort::Balanced => 4,
        Effort::Smallest => 6,
    };
    let mut picture = LibwebpPicture::new().ok_or_else(|| defect("no picture"))?;
    if !picture.import(pixels) {
        return Err(defect("no memory for the planes"));
    }
    picture.encode(&config).map_err(|code| defect(&format!("{code:?}")))
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

    fn encode(&mut self, config: &webp::WebPConfig) -> Result<Vec<u8>, webp::WebPEncodingError> {
        let mut bytes: Vec<u8> = Vec::new();
        self.0.writer = Some(append);
        self.0.custom_ptr = ptr::from_mut(&mut bytes).cast();
        // SAFETY: both pointers are valid for the call, the picture has been imported, and `append` gets
        // back the pointer to `bytes`, which has no other user until the call returns.
        let done = unsafe { webp::WebPEncode(config, &mut self.0) };
        self.0.custom_ptr = ptr::null_mut();
        if done == 0 { Err(self.0.error_code) } else { Ok(bytes) }
    }
}

impl Drop for LibwebpPicture {
    fn drop(&mut self) {
        // SAFETY: the picture was initialised by `WebPPicture::new` and is freed once.
        unsafe { webp::WebPPictureFree(&mut self.0) }
    }
}

/// Appends a piece of the file for libwebp; 0 stops it.
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
