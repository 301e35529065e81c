"""Built-in convolutional networks: what they show, map to and cost in time; options behind their names."""
import os
import unittest

import h5py

from harness import Case, settings

# Where torchvision prints the count it is torchvision's; docs/models.md has all of them.
PARAMETERS = {"lenet5": 60000, "resnet50": 25557032, "densenet121": 7978856, "inception-v3": 23834568,
              "mobilenet-v3-large": 5483032, "efficientnet-b0": 5288548, "shufflenet-v2": 2278604,
              "yolo-tiny": 15861773}
SMALL = ["densenet121:input=32x32x3,classes=10", "shufflenet-v2:input=32x32x3", "mobilenet-v3-small:input=32x32x3",
         "squeezenet:input=33x33x3"]
SNAKE = settings(arch__rows=512, arch__cols=512, mapping__placement="snake")


class Networks(Case):
    def test_show(self):
        for name, parameters in PARAMETERS.items():
            d = self.json("model", "show", name)
            self.assertEqual(d["parameters"], parameters, name)
            self.assertEqual(d["parameters"], sum(o["parameters"] for o in d["operators"]))
            self.assertEqual(d["macs"], sum(o["macs"] for o in d["operators"]))
            self.assertEqual(d["layers"], sum(o["kind"] in ("conv", "linear") for o in d["operators"]))
            for o in d["operators"]:
                self.assertEqual(sorted(o), ["in", "kind", "macs", "name", "out", "parameters"])
        self.assertIn("se.mul", self.done("model", "show", "mobilenet-v3-small").out)

    def test_options(self):
        d = self.json("model", "show", "resnet18:input=32x32x3,classes=10")
        self.assertEqual(d["input"], [32, 32, 3])
        self.assertEqual(d["operators"][-1]["out"], [1, 1, 10])
        self.assertEqual(d["name"], "resnet18:input=32x32x3,classes=10")
        for bad in ("resnet18:input=32", "resnet18:classes=0", "resnet18:classes=10,", "resnet18:width=2"):
            self.refused("model", "show", bad, words=[bad, "input=HxWxC"])
        self.refused("model", "show", "resnet81:classes=10", words=["resnet81"])
        self.refused("model", "show", "alexnet:input=32x32x3", words=["features", "does not fit"])
        self.refused("map", "--network", "unet:input=20x20x1", "--fabric", "mesh", words=["does not fit"])

    def test_certificates(self):
        for name in SMALL:
            file = self.path("c.json")
            d = self.json("map", "--network", name, "--fabric", "mesh", "--certificate", file, "--force", *SNAKE)
            self.assertEqual(d["network"], name)
            self.assertTrue(self.json("map", "--verify", file)["valid"], name)

    def test_compare_takes_options(self):
        d = self.json("compare", "--networks", "lenet5,lenet5:input=40x40x1,classes=4", "--fabrics",
                      "mesh,ring", "--images", "2", *settings(arch__rows=512, arch__cols=512))
        names = {row["network"] for row in d["rows"]}
        self.assertEqual(names, {"lenet5", "lenet5:input=40x40x1,classes=4"})

    def test_example(self):
        report = self.path("m.h5")
        d = self.json("simulate", os.path.join("examples", "mobilenet-v3.yaml"), "-o", report, *SNAKE,
                      *settings(simulate__images=2, workload__model="mobilenet-v3-small:input=64x64x3"))
        self.assertEqual(d["network"], "mobilenet-v3-small:input=64x64x3")
        self.assertGreaterEqual(d["initiation_interval_ps"], d["bound_initiation_interval_ps"])
        with h5py.File(report) as f:
            self.assertTrue("mapping" in f and "timing" in f)

    def test_accuracy_needs_weights(self):
        self.refused("infer", os.path.join("examples", "mobilenet-v3.yaml"), words=["shapes only"])


if __name__ == "__main__":
    unittest.main()
