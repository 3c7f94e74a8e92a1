"""Classes that make pictures of the size they are told, and classes that keep the size."""

from __future__ import annotations

from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import NOTHING, ONE, Amount, most
from comfy_mcp.workflow.nodes.flow import Constant, Flow, Picture, largest, nowhere, sized
from comfy_mcp.workflow.nodes.literals import as_whole
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["RULES", "made", "passed"]

_MADE = """
ARVideoI2V BerniniConditioning CosmosImageToVideoLatent CosmosPredict2ImageToVideoLatent
CreateBoundingBoxes EmptyARVideoLatent EmptyAceStep1.5LatentAudio EmptyAceStepLatentAudio
EmptyChromaRadianceLatentImage EmptyCosmosLatentVideo EmptyFlux2LatentImage
EmptyHiDreamO1LatentImage EmptyHunyuanImageLatent EmptyHunyuanLatentVideo
EmptyHunyuanVideo15Latent EmptyImage EmptyLTXVLatentVideo EmptyLatentAudio
EmptyLatentHunyuan3Dv2 EmptyLatentImage EmptyMiniMaxH3LatentAV EmptyMiniMaxMusic3LatentAudio
EmptyMochiLatentVideo EmptySD3LatentImage EmptyTrellis2LatentStructure HunyuanImageToVideo
HunyuanVideo15ImageToVideo Kandinsky5ImageToVideo LTXVEmptyLatentAudio LTXVImgToVideo Load3D
Load3DAnimation MiniMaxH3ImageToVideo MiniMaxH3ReferenceToVideo RenderMesh SolidMask
StableCascade_EmptyLatentImage StableZero123_Conditioning StableZero123_Conditioning_Batched
VOIDInpaintConditioning VOIDWarpedNoise Wan22FunControlToVideo Wan22ImageToVideoLatent
WanAnimate2ToVideo WanAnimateToVideo WanCameraImageToVideo WanDancerVideo
WanFirstLastFrameToVideo WanFunControlToVideo WanFunInpaintToVideo WanHuMoImageToVideo
WanImageToVideo WanInfiniteTalkToVideo WanMoveTrackToVideo WanPhantomSubjectToVideo
WanSCAILToVideo WanSoundImageToVideo WanTrackToVideo WanVaceToVideo
"""
"""They say ``width``, ``height``, ``batch_size`` and ``length`` or ``frames`` themselves."""

_KEPT = {
    "da3_geometry": "DA3Render",
    "destination": "ImageCompositeMasked LatentCompositeMasked MaskComposite"
    " PorterDuffImageComposite ReplaceVideoLatentFrames",
    "driving_track_data ref_track_data": "SCAIL2ColoredMask",
    "face_landmarks image": "MediaPipeFaceMask MediaPipeFaceMeshVisualize",
    "image": "Canny DA3Inference ImageAddNoise ImageBlur ImageColorToMask ImageFlip ImageInvert"
    " JoinImageWithAlpha ImageQuantize ImageRGBToYUV ImageSharpen ImageToMask LTXVPreprocess"
    " MediaPipeFaceLandmarker MoGeInference MoGePanoramaInference Morphology RemoveBackground"
    " SAM3_Detect SDPoseKeypointExtractor SplitImageWithAlpha StableCascade_StageC_VAEEncode"
    " TripoSplatConditioning",
    "image bboxes": "DrawBBoxes",
    "image1": "ImageBlend",
    "image_target": "ColorTransfer",
    "images": "AdjustBrightness AdjustContrast NormalizeImages PreviewImage SAM3_VideoTrack"
    " SaveImage SaveImageAdvanced SeedVR2PostProcessing TextOverlay WanMoveVisualizeTracks",
    "keypoints": "SDPoseDrawKeypoints",
    "latent": "HunyuanRefinerLatent HunyuanVideo15SuperResolution LTXVCropGuides"
    " LTXVImgToVideoInplace NormalizeVideoLatentStart",
    "latent_image": "AddNoise",
    "mask": "FeatherMask GrowMask InvertMask MaskPreview MaskToImage ThresholdMask"
    " VOIDQuadmaskPreprocess",
    "mesh": "MeshTextureToImage",
    "moge_geometry": "MoGeRender",
    "resized_images": "SeedVR2Preprocess",
    "samples": "LatentApplyOperation LatentBatchSeedBehavior LatentCut LatentFlip LatentMultiply"
    " SaveLatent SetLatentNoiseMask TrimVideoLatent VAEDecode VAEDecodeTiled"
    " VaeDecodeStructureTrellis2",
    "samples1": "LatentAdd LatentBlend LatentInterpolate LatentSubtract",
    "samples_to": "LatentComposite",
    "shape_latent": "Trellis2TextureStage Trellis2UpsampleStage",
    "track_data": "SAM3_TrackToMask",
    "video": "GetVideoComponents SaveVideo Video&Slice",
    "video_latent": "LTXVConcatAVLatent",
    "voxel": "Trellis2ShapeStage",
    "Y U V": "ImageYUVToRGB",
}
"""Inputs by whose size the output goes; ``&`` stands for a blank in a class's name."""

_ROUNDED = frozenset({"VAEDecode", "VAEDecodeTiled"})
_BOUND = frozenset({"LatentCut", "TrimVideoLatent", "LTXVCropGuides", "SAM3_Detect"})
_LENGTHS = ("length", "video_frames", "num_frames", "frames")


def made(view: View) -> Flow:
    """New pictures; sizes are read from the inputs that name them."""
    length = next((view.whole(name) for name in _LENGTHS if view.has(name)), ONE)
    picture = sized(
        view.whole("width", NOTHING),
        view.whole("height", NOTHING),
        most(ONE, view.whole("batch_size")),
        most(ONE, length),
    )
    return Flow(picture=picture)


def passed(view: View, names: tuple[str, ...]) -> Picture | None:
    """Pictures of the largest size of *names*; their number is the largest of all that come in."""
    picture = largest(view.picture(name) for name in names)
    if picture is None:
        return None
    others = [each for each in view.pictures() if each is not picture]
    if not others:
        return picture.made()
    return replace(
        picture,
        batch=most(picture.batch, *(each.batch for each in others)),
        frames=most(picture.frames, *(each.frames for each in others)),
        loaded=False,
    )


def _keeps(class_type: str, names: tuple[str, ...]) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = passed(view, names)
        if picture is None:
            return None
        if class_type in _ROUNDED:
            picture = replace(picture, rounded=True)
        return Flow(picture=replace(picture, exact=False) if class_type in _BOUND else picture)

    return rule


def _orbited(view: View) -> Flow:
    """Negative ``frames`` go the other way round."""
    flow, value = made(view), view.value("frames")
    number = as_whole(value.value) if isinstance(value, Constant) else None
    if flow.picture is None or number is None:
        return flow
    return Flow(picture=replace(flow.picture, frames=most(ONE, Amount.of(abs(number)))))


def _arranged(view: View) -> Flow:
    """The canvas can be as large as layers lie apart, which is not worked out here."""
    return Flow(picture=nowhere(view.unknown("layers", "arranges layers on a canvas of any size")))


def _taken_apart(view: View) -> Flow:
    """A latent that is not two in one comes apart along its batch, and its channels become one."""
    why = "is taken apart, and what its parts are is not known"
    return Flow(picture=nowhere(view.unknown("av_latent", why)))


RULES: dict[str, Rule] = {
    **dict.fromkeys(_MADE.split(), made),
    **{
        name.replace("&", " "): _keeps(name.replace("&", " "), tuple(inputs.split()))
        for inputs, names in _KEPT.items()
        for name in names.split()
    },
    "ImageCompositor": _arranged,
    "LTXVSeparateAVLatent": _taken_apart,
    "RenderSplat": _orbited,
}
