/* The built-in convolutional networks. */
#include "workloads/maker_internal.h"

#define IMAGENET {224, 224, 3}, 1000
#define CIFAR {32, 32, 3}, 10

const pp_model pp_models_cnn_[] = {
    {"alexnet", "AlexNet, one column, ImageNet", pp_net_alexnet_, IMAGENET, {0}},
    {"vgg11", "VGG-11, ImageNet", pp_net_vgg_, IMAGENET, {11}},
    {"vgg13", "VGG-13, ImageNet", pp_net_vgg_, IMAGENET, {13}},
    {"vgg16", "VGG-16, ImageNet", pp_net_vgg_, IMAGENET, {16}},
    {"vgg19", "VGG-19, ImageNet", pp_net_vgg_, IMAGENET, {19}},
    {"resnet20", "ResNet-20 for CIFAR, widths 16-32-64", pp_net_resnet_cifar_, CIFAR, {20}},
    {"resnet32", "ResNet-32 for CIFAR, widths 16-32-64", pp_net_resnet_cifar_, CIFAR, {32}},
    {"resnet44", "ResNet-44 for CIFAR, widths 16-32-64", pp_net_resnet_cifar_, CIFAR, {44}},
    {"resnet56", "ResNet-56 for CIFAR, widths 16-32-64", pp_net_resnet_cifar_, CIFAR, {56}},
    {"resnet110", "ResNet-110 for CIFAR, widths 16-32-64", pp_net_resnet_cifar_, CIFAR, {110}},
    {"resnet18", "ResNet-18, ImageNet", pp_net_resnet_, IMAGENET, {18}},
    {"resnet34", "ResNet-34, ImageNet", pp_net_resnet_, IMAGENET, {34}},
    {"resnet50", "ResNet-50 (stride in the 3x3), ImageNet", pp_net_resnet_, IMAGENET, {50}},
    {"resnet101", "ResNet-101 (stride in the 3x3), ImageNet", pp_net_resnet_, IMAGENET, {101}},
    {"resnet152", "ResNet-152 (stride in the 3x3), ImageNet", pp_net_resnet_, IMAGENET, {152}},
    {"resnext50", "ResNeXt-50 32x4d, ImageNet", pp_net_resnet_, IMAGENET, {50, 32, 4}},
    {"wideresnet50-2", "wide ResNet-50, twice the width, ImageNet", pp_net_resnet_, IMAGENET, {50, 1, 128}},
    {"densenet121", "DenseNet-121, growth 32, ImageNet", pp_net_densenet_, IMAGENET, {6, 12, 24, 16}},
    {"densenet169", "DenseNet-169, growth 32, ImageNet", pp_net_densenet_, IMAGENET, {6, 12, 32, 32}},
    {"densenet201", "DenseNet-201, growth 32, ImageNet", pp_net_densenet_, IMAGENET, {6, 12, 48, 32}},
    {"googlenet", "GoogLeNet with batch norm, no auxiliary heads, ImageNet", pp_net_googlenet_, IMAGENET, {0}},
    {"inception-v3", "Inception-v3, no auxiliary head, ImageNet", pp_net_inception3_, {299, 299, 3}, 1000, {0}},
    {"squeezenet", "SqueezeNet 1.0, ImageNet", pp_net_squeezenet_, IMAGENET, {0}},
    {"mobilenet-v2", "MobileNet-v2, ImageNet", pp_net_mobilenet2_, IMAGENET, {0}},
    {.name = NULL},
};
