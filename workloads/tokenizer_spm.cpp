// SentencePiece behind a C interface: the one C++ file of this room.
#include "workloads/tokenizer_internal.h"

#include <sentencepiece_processor.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace {

using sentencepiece::SentencePieceProcessor;

int report(char *error, const char *text)
{
    std::snprintf(error, 256, "%s", text);
    for (char *c = error; *c; c++)
        if (*c == '\n')
            *c = ' ';
    return 0;
}

const SentencePieceProcessor &processor(const void *spm)
{
    return *static_cast<const SentencePieceProcessor *>(spm);
}

} // namespace

extern "C" void *pp_spm_open_(const char *data, size_t size, char error[256])
{
    try {
        auto p = std::make_unique<SentencePieceProcessor>();
        const auto status = p->LoadFromSerializedProto(absl::string_view(data, size));
        if (!status.ok()) {
            report(error, status.ToString().c_str());
            return nullptr;
        }
        return p.release();
    } catch (const std::exception &e) {
        report(error, e.what());
        return nullptr;
    }
}

extern "C" void pp_spm_close_(void *spm)
{
    delete static_cast<SentencePieceProcessor *>(spm);
}

extern "C" uint32_t pp_spm_size_(const void *spm)
{
    return static_cast<uint32_t>(processor(spm).GetPieceSize());
}

extern "C" int pp_spm_encode_(const void *spm, const char *text, size_t size,
                              int (*token)(void *payload, uint32_t id, size_t bytes), void *payload, char error[256])
{
    try {
        const auto pieces = processor(spm).EncodeAsImmutableProto(absl::string_view(text, size));
        // What normalisation drops between two pieces counts to the one before it.
        const size_t n = pieces.pieces_size();
        size_t at = 0;
        for (size_t i = 0; i < n; i++) {
            const size_t end = i + 1 < n ? pieces.pieces(static_cast<int>(i + 1)).begin() : size;
            if (!token(payload, pieces.pieces(static_cast<int>(i)).id(), end > at ? end - at : 0))
                return report(error, "");
            at = end > at ? end : at;
        }
        return 1;
    } catch (const std::exception &e) {
        return report(error, e.what());
    }
}

extern "C" int pp_spm_decode_(const void *spm, const uint32_t *ids, size_t n,
                              int (*text)(void *payload, const char *data, size_t size), void *payload,
                              char error[256])
{
    try {
        const std::vector<int> list(ids, ids + n);
        std::string result;
        const auto status = processor(spm).Decode(list, &result);
        if (!status.ok())
            return report(error, status.ToString().c_str());
        return text(payload, result.data(), result.size()) ? 1 : report(error, "");
    } catch (const std::exception &e) {
        return report(error, e.what());
    }
}
