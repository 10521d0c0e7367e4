// A build without CUDA: every kernel throws.
#include "kernels/device/activation.h"
#include "kernels/device/adamw.h"
#include "kernels/device/attention.h"
#include "kernels/device/cached_attention.h"
#include "kernels/device/cast.h"
#include "kernels/device/cross_entropy.h"
#include "kernels/device/device_code.h"
#include "kernels/device/elementwise.h"
#include "kernels/device/embedding.h"
#include "kernels/device/gemm.h"
#include "kernels/device/norm.h"
#include "kernels/device/patchify.h"
#include "kernels/device/rope.h"

namespace lynceus::kernels::cuda {

const ActivationKernels kActivation = {};
const AdamWKernels kAdamW = {};
const AttentionKernels kAttention = {};
const CachedAttentionKernels kCachedAttention = {};
const CastKernels kCast = {};
const CrossEntropyKernels kCrossEntropy = {};
const DeviceCodeKernels kDeviceCode = {};
const ElementwiseKernels kElementwise = {};
const EmbeddingKernels kEmbedding = {};
const GemmKernels kGemm = {};
const NormKernels kNorm = {};
const PatchifyKernels kPatchify = {};
const RopeKernels kRope = {};

}  // namespace lynceus::kernels::cuda
