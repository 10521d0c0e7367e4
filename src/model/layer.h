// What all layers have in common. A layer is a plain struct with
//
//   struct Saved                               what backward needs of forward
//   Tensor forward(rt, [batch,] x, Saved* saved) const
//   void backward(rt, [batch,] const Saved& saved, const Tensor& dy, Tensor* dx) const
//   void visit_parameters(const ParameterVisitor& visit)
//
// saved null: no backward follows, keep nothing. backward adds to the gradients of what is trained
// (+=) and sets *dx to a new tensor; dx null: nobody below wants it. *dx is set last, so dx may
// point to dy.
//
// What differs follows from the layer's place: the embedding saves nothing, the head starts from
// the loss and has no dy, norms also take the gradient that arrives by the residual, and a
// resampler layer also adds to the gradient of its second input, the media.
#pragma once

namespace lynceus::model {

/// The Saved of a layer inside that of the layer above; null where nothing is saved.
template <typename Saved, typename Part>
Part* part(Saved* saved, Part Saved::*member) {
  return saved == nullptr ? nullptr : &(saved->*member);
}

}  // namespace lynceus::model
