// Simulates a processor with bf16 products on one without: preloaded, it makes oneDNN compute bf16
// products with its slow reference implementation, which needs no special instructions. So the
// calls of the library, and the order and type of the factors, are those on such a processor; the
// products of the library itself are not tested.
//
//   LD_PRELOAD=build/release/tests/liblynceus_bf16_processor.so kernels_bf16_gemm_test
//
// For oneDNN 2 with exported symbols (Debian's). Without these symbols the program finds no bf16
// products and converts to f32.
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>

#include <string_view>

namespace dnnl::impl::cpu::platform {
// The library calls this before it offers a primitive for a type. It is not in its headers.
bool has_data_type_support(dnnl_data_type_t type);
bool has_data_type_support(dnnl_data_type_t) { return true; }
}  // namespace dnnl::impl::cpu::platform

namespace {

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool is_reference(const dnnl_primitive_desc_iterator* iterator) {
  const dnnl_primitive_desc_t description = dnnl_primitive_desc_iterator_fetch(iterator);
  const char* name = "";
  dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name);
  const bool found = std::string_view(name).starts_with("ref");
  dnnl_primitive_desc_destroy(description);
  return found;
}

const dnnl_matmul_desc_t* bf16_product(const_dnnl_op_desc_t operation) {
  const auto* product = static_cast<const dnnl_matmul_desc_t*>(operation);
  return product->primitive_kind == dnnl_matmul && product->src_desc.data_type == dnnl_bf16
             ? product
             : nullptr;
}

// A library may lack some shapes: this one multiplies no matrix of seven rows.
constexpr dnnl_dim_t kRefusedRows = 7;

}  // namespace

extern "C" {

dnnl_cpu_isa_t dnnl_get_effective_cpu_isa() { return dnnl_cpu_isa_avx512_core_bf16; }

dnnl_status_t dnnl_primitive_desc_iterator_create(dnnl_primitive_desc_iterator_t* iterator,
                                                  const_dnnl_op_desc_t operation,
                                                  const_dnnl_primitive_attr_t attributes,
                                                  dnnl_engine_t engine,
                                                  const_dnnl_primitive_desc_t hint) {
  const dnnl_matmul_desc_t* const product = bf16_product(operation);
  if (product != nullptr && product->dst_desc.dims[0] == kRefusedRows) return dnnl_unimplemented;
  dnnl_status_t status = next<decltype(dnnl_primitive_desc_iterator_create)>(
      "dnnl_primitive_desc_iterator_create")(iterator, operation, attributes, engine, hint);
  if (product == nullptr) return status;
  while (status == dnnl_success && !is_reference(*iterator))
    status = dnnl_primitive_desc_iterator_next(*iterator);
  return status;
}

// The reference implementation takes plain weights; real bf16 products need them in blocks.
dnnl_status_t dnnl_matmul_desc_init(dnnl_matmul_desc_t* operation, const dnnl_memory_desc_t* source,
                                    const dnnl_memory_desc_t* weights,
                                    const dnnl_memory_desc_t* bias,
                                    const dnnl_memory_desc_t* result) {
  dnnl_memory_desc_t chosen = *weights;
  if (weights->format_kind == dnnl_format_kind_any && weights->data_type == dnnl_bf16)
    dnnl_memory_desc_init_by_tag(&chosen, weights->ndims, weights->dims, weights->data_type,
                                 dnnl_BA16a64b2a);
  return next<decltype(dnnl_matmul_desc_init)>("dnnl_matmul_desc_init")(operation, source, &chosen,
                                                                        bias, result);
}

}  // extern "C"
