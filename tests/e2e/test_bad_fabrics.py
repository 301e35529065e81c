"""Fabrics that are wrong: FABRIC texts and GraphML files."""
import unittest

from harness import Case, call, example, settings

GOOD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="kind" for="node" attr.name="kind" attr.type="string"/>
  <key id="lanes" for="edge" attr.name="lanes" attr.type="int"/>
  <key id="gbps" for="edge" attr.name="lane_gbps" attr.type="double"/>
  <graph id="g" edgedefault="directed">
    <node id="a"><data key="kind">both</data></node>
    <node id="b"><data key="kind">both</data></node>
    <node id="c"><data key="kind">both</data></node>
    <edge source="a" target="b"><data key="lanes">2</data><data key="gbps">5</data></edge>
    <edge source="b" target="a"><data key="lanes">2</data><data key="gbps">5</data></edge>
    <edge source="b" target="c"><data key="lanes">1</data><data key="gbps">5</data></edge>
    <edge source="c" target="b"><data key="lanes">1</data><data key="gbps">5</data></edge>
  </graph>
</graphml>
"""


class Texts(Case):
    def test_refused(self):
        for fabric, words in (("5pp:rows=0,cols=3", ["rows"]), ("5pp:rows=-2,cols=3", ["rows"]), ("5pp:rows=2.5,cols=3", ["rows"]),
                              ("5pp:rows=2", ["cols"]), ("5pq:rows=2,cols=2", ["5pq", "5pp"]), ("", []),
                              ("mesh:rowz=2,cols=2", ["rowz", "rows"]), ("mesh:rows=2,rows=3,cols=2", ["rows"]),
                              ("mesh:rows", ["rows"]), ("mesh:rows=2,,cols=2", []), ("mesh:rows=99999999,cols=99999999", []),
                              ("5pp:rows=2,cols=9,reach=99999", ["reach"]), ("5pp:rows=2,cols=4,row_direction=up", ["up"]),
                              ("torus:rows=4,cols=4,reach=2", ["reach"]), ("hypercube:cores=1000000000", ["cores"]),
                              ("hypercube:cores=12", ["power of 2"]), ("fattree:arity=4", ["levels"]),
                              ("cmesh:rows=1000000,cols=1000000", ["4194304"]), ("file:", []), ("file:none.graphml", ["none.graphml"])):
            with self.subTest(fabric=fabric):
                self.refused("fabric", "show", fabric, words=words)
                self.refused("fabric", "export", fabric, "-o", self.path("f.svg"), words=words)


class GraphML(Case):
    def bad(self, content, *words):
        path = self.write("own.graphml", content)
        self.refused("fabric", "show", "file:" + path, words=["own.graphml", *words])
        self.refused("run", example("joshi2020-resnet32.yaml"), "-o", self.path("o.h5"),
                     *settings(fabric__kind="file", fabric__file=path, quant__calib_images=2), words=["own.graphml", *words])

    def test_the_good_one_is_read(self):
        d = self.json("fabric", "show", "file:" + self.write("own.graphml", GOOD))
        self.assertEqual((d["cores"], d["channels"], d["diameter"]), (3, 4, 2))

    def test_missing_attributes(self):
        self.bad(GOOD.replace('<node id="b"><data key="kind">both</data></node>', '<node id="b"/>'), "vertex b", "kind")
        self.bad(GOOD.replace('<data key="kind">both</data>', ""), "kind")
        self.bad(GOOD.replace('target="c"><data key="lanes">1</data>', 'target="c">'), "edge", "b -> c", "lanes")
        self.bad(GOOD.replace('<data key="lanes">1</data><data key="gbps">5</data></edge>\n    <edge source="c"',
                              '<data key="lanes">1</data></edge>\n    <edge source="c"'), "b -> c", "lane_gbps")

    def test_wrong_attributes(self):
        self.bad(GOOD.replace(">both<", ">router<", 1), "vertex a", "kind", "router")
        self.bad(GOOD.replace('<data key="lanes">2', '<data key="lanes">0', 1), "a -> b", "lanes")
        self.bad(GOOD.replace('<data key="gbps">5', '<data key="gbps">-5', 1), "a -> b", "lane_gbps")
        self.bad(GOOD.replace('attr.name="lanes" attr.type="int"', 'attr.name="lanes" attr.type="string"'), "lanes")

    def test_not_a_graph(self):
        self.bad("")
        self.bad("hello")
        self.bad(b"\x00\x01\x02" * 99)
        self.bad(GOOD[:len(GOOD) // 2])
        self.bad(GOOD.replace('<edge source="a" target="b">', '<edge source="a" target="a">'), "a -> a")
        self.bad('<?xml version="1.0"?><html/>')
        self.refused("fabric", "show", "file:" + self.folder)

    def test_too_small(self):
        path = self.write("own.graphml", GOOD)
        self.refused("run", example("joshi2020-resnet32.yaml"), "-o", self.path("o.h5"),
                     *settings(fabric__kind="file", fabric__file=path, quant__calib_images=2), words=["own.graphml", "3 cores"])

    def test_not_connected(self):
        nodes = "".join(f'<node id="n{i}"><data key="kind">both</data></node>' for i in range(40))
        text = GOOD[:GOOD.index("    <node")] + nodes + "</graph></graphml>"
        path = self.write("own.graphml", text)
        self.refused("run", example("joshi2020-resnet32.yaml"), "-o", self.path("o.h5"),
                     *settings(fabric__kind="file", fabric__file=path, quant__calib_images=2))

    def test_one_way(self):
        path = self.write("own.graphml", GOOD.replace('<edge source="c" target="b">', '<edge source="a" target="c">'))
        d = self.json("fabric", "show", "file:" + path)
        self.assertEqual((d["unreachable_pairs"], d["deadlock_free"]), (2, True))

    def test_zero_rate(self):
        self.bad(GOOD.replace('<data key="gbps">5', '<data key="gbps">0', 1), "a -> b", "lane_gbps")
        self.refused("fabric", "show", "mesh:rows=2,cols=2", "--set", "fabric.clock_hz=0", words=["clock_hz"])

    def test_never_a_crash(self):
        for n in range(0, len(GOOD), 37):
            path = self.write("own.graphml", GOOD[:n] + "<" + GOOD[n + 1:])
            r = call("fabric", "show", "file:" + path)
            self.assertIn(r.rc, (0, 1), f"{n}: {r.err}")
            if r.rc:
                self.assertEqual(len(r.err.splitlines()), 1, r.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
