// Trains a small SentencePiece model for the tests.
#include <sentencepiece_trainer.h>

#include <string>

extern "C" int spm_train(const char *text, const char *prefix, const char *type)
{
    const std::string args = std::string("--input=") + text + " --model_prefix=" + prefix + " --model_type=" + type +
                             " --vocab_size=400 --byte_fallback=true --minloglevel=3 --num_threads=1"
                             " --character_coverage=1.0 --input_sentence_size=0 --normalization_rule_name=identity"
                             " --remove_extra_whitespaces=false";
    return sentencepiece::SentencePieceTrainer::Train(args).ok();
}
