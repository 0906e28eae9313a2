//! Conversions between the types of a request and those of the JPEG codec, which knows no request.

use crate::codec::encoded::StageTimes;
use crate::codec::error::CodecError;
use crate::codec::jpeg::encode::{Coding, JpegQuality};
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::pipeline::{DecodeSpeed, JpegTimes};
use crate::codec::jpeg::planes::Sampling;
use crate::codec::jpeg::resample::ResampleKernel;
use crate::format::Format;
use crate::spec::{Effort, Kernel, Quality, Spec, Speed, Subsampling};

impl From<JpegError> for CodecError {
    fn from(error: JpegError) -> CodecError {
        match error {
            JpegError::Unsupported(kind) => CodecError::Unsupported(format!("{kind} JPEG is not supported")),
            JpegError::Damaged(reason) => CodecError::damaged(Format::Jpeg, reason),
            JpegError::TooLarge(over) => CodecError::TooLarge(over),
            JpegError::Stopped(stopped) => CodecError::Stopped(stopped),
            JpegError::OutOfMemory(refused) => CodecError::OutOfMemory(refused),
        }
    }
}

impl From<JpegTimes> for StageTimes {
    fn from(JpegTimes { decode, resize, encode }: JpegTimes) -> StageTimes {
        StageTimes { decode, resize, encode }
    }
}

impl From<Quality> for JpegQuality {
    fn from(quality: Quality) -> JpegQuality {
        JpegQuality::new(quality.get()).unwrap_or_else(|| unreachable!("both scales are 1 to 100"))
    }
}

impl From<Kernel> for ResampleKernel {
    fn from(kernel: Kernel) -> ResampleKernel {
        match kernel {
            Kernel::Lanczos3 => ResampleKernel::Lanczos3,
            Kernel::CatmullRom => ResampleKernel::CatmullRom,
            Kernel::Mitchell => ResampleKernel::Mitchell,
            Kernel::Bilinear => ResampleKernel::Bilinear,
            Kernel::Box => ResampleKernel::Box,
            Kernel::Nearest => ResampleKernel::Nearest,
        }
    }
}

impl From<Speed> for DecodeSpeed {
    fn from(speed: Speed) -> DecodeSpeed {
        match speed {
            Speed::Normal => DecodeSpeed::Normal,
            Speed::Fast => DecodeSpeed::Fast,
        }
    }
}

/// Returns the form of JPEG file that `spec` requests.
pub(in crate::codec) fn coding(spec: &Spec) -> Coding {
    match (spec.effort, spec.progressive) {
        (Effort::Smallest, _) => Coding::Smallest,
        (Effort::Balanced | Effort::Fast, true) => Coding::Progressive,
        (Effort::Balanced, false) => Coding::Optimised,
        (Effort::Fast, false) => Coding::Fixed,
    }
}

/// Returns the chroma resolution that `spec` requests at `quality`.
pub(in crate::codec) fn sampling(quality: Quality, spec: &Spec) -> Sampling {
    match spec.subsampling {
        Subsampling::S444 => Sampling::S444,
        Subsampling::S422 => Sampling::S422,
        Subsampling::S420 => Sampling::S420,
        Subsampling::Auto if quality.get() >= 90 => Sampling::S444,
        Subsampling::Auto => Sampling::S420,
    }
}
