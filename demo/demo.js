// The demo page. One module, run twice: the page shows, and a worker of the same file computes, so that nothing freezes.
// Images are {data, width, height} with RGBA bytes; keypoints are [x, y, score] in pixels of the image.

const isWorker = typeof document === 'undefined';

// ---- The computation, equal to dyconv_pose/inference: detectors.py, topdown.py and results.py ----

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
/** Rounds halves to even numbers, as OpenCV does. */
const rounded = (value) => { const up = Math.floor(value + 0.5); return up - value === 0.5 && up % 2 ? up - 1 : up; };
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** For each target pixel along an axis, source pixels and their shares: means where it shrinks, else interpolation. */
function shares(source, target, shrinks) {
  const step = source / target;
  return Array.from({ length: target }, (_, index) => {
    if (!shrinks) {
      const place = clamp((index + 0.5) * step - 0.5, 0, source - 1), first = Math.floor(place);
      return [[first, 1 - place + first], [Math.min(first + 1, source - 1), place - first]];
    }
    const start = index * step, size = Math.min(step, source - start), end = start + size, parts = [];
    for (let pixel = Math.floor(start); pixel < end; pixel++) {
      const part = Math.min(pixel + 1, end) - Math.max(pixel, start);
      if (part > 1e-3) parts.push([pixel, Math.fround(part / size)]);
    }
    return parts;
  });
}

/** The image in the middle of the detector's black input (3, size, size), blue first; how it was scaled and moved. */
function fit({ data, width, height }, size) {
  const ratio = Math.min(size / width, size / height), shrinks = ratio < 1;
  const wide = Math.max(Math.trunc(width * ratio), 1), high = Math.max(Math.trunc(height * ratio), 1);
  const left = (size - wide) >> 1, top = (size - high) >> 1, plane = size * size;
  const across = shares(width, wide, shrinks), values = new Float32Array(3 * plane);
  const line = new Float32Array(3 * wide), total = new Float32Array(3 * wide);
  shares(height, high, shrinks).forEach((parts, y) => {
    total.fill(0);
    for (const [sourceY, shareY] of parts) {
      line.fill(0);
      for (let x = 0; x < wide; x++) {
        for (const [sourceX, shareX] of across[x]) {
          const from = 4 * (sourceY * width + sourceX);
          for (let channel = 0; channel < 3; channel++) line[3 * x + channel] += Math.fround(data[from + 2 - channel] * shareX);
        }
      }
      for (let place = 0; place < line.length; place++) total[place] += Math.fround(shareY * line[place]);
    }
    for (let place = 0; place < total.length; place++) {
      const x = Math.floor(place / 3), channel = place % 3;
      values[channel * plane + (top + y) * size + left + x] = rounded(total[place]);
    }
  });
  return { values, ratio, left, top };
}

/** What the network sees for a box: the box enlarged, in the input's aspect; in float32, as NumPy computes it. */
function regionOf(box, { input: [W, H], padding }) {
  const f = Math.fround, [left, top, right, bottom] = box.map(f), aspect = W / H;
  const width = f(f(right - left) * padding), height = f(f(bottom - top) * padding), isWide = width > f(height * aspect);
  const size = isWide ? [width, f(width / aspect)] : [f(height * aspect), height];
  return { x: f(f(left + right) / 2), y: f(f(top + bottom) / 2), width: size[0], height: size[1] };
}

/** The region, resampled bilinearly and normalised: (3, H, W), red first; black outside the image. */
function crop({ data, width, height }, region, { input: [W, H], mean, std }) {
  const step = region.width / W, values = new Float32Array(3 * W * H);
  // Places in the image in whole 1/32 of a pixel, rounded as OpenCV rounds them.
  const places = (center, count) => Array.from({ length: count }, (_, index) =>
    (Math.round(index * step * 1024) + Math.round((center - (count / 2) * step) * 1024) + 16) >> 5);
  const across = places(region.x, W), down = places(region.y, H);
  const at = (x, y, channel) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : data[4 * (y * width + x) + channel]);
  for (let v = 0; v < H; v++) {
    const y = down[v] >> 5, below = down[v] & 31;
    for (let u = 0; u < W; u++) {
      const x = across[u] >> 5, right = across[u] & 31;
      for (let channel = 0; channel < 3; channel++) {
        const upper = at(x, y, channel) * (32 - right) + at(x + 1, y, channel) * right;
        const lower = at(x, y + 1, channel) * (32 - right) + at(x + 1, y + 1, channel) * right;
        const value = (upper * (32 - below) + lower * below + 512) >> 10;
        values[(channel * H + v) * W + u] = (value - mean[channel]) / std[channel];
      }
    }
  }
  return values;
}

/** The heatmap (h, w), blurred along one axis and then the other, with zeros outside. */
function blurred(map, width, height, kernel) {
  const half = kernel.length >> 1;
  const along = (source, step, count, place) => {
    const target = new Float32Array(source.length);
    for (let index = 0; index < source.length; index++) {
      const here = place(index), last = Math.min(half, count - 1 - here);
      for (let offset = Math.max(-half, -here); offset <= last; offset++) {
        target[index] += kernel[offset + half] * source[index + offset * step];
      }
    }
    return target;
  };
  return along(along(map, 1, width, (index) => index % width), width, height, (index) => Math.floor(index / width));
}

/** A heatmap's maximum [x, y, score] to a part of a pixel: that of a Gaussian through its blurred surroundings (DARK). */
function maximum(map, width, height, kernel) {
  const score = map.reduce((best, value) => Math.max(best, value), -Infinity), index = map.indexOf(score);
  let x = index % width, y = Math.floor(index / width);
  if (!(score > 0)) return [-1, -1, score];
  if (x <= 1 || x >= width - 2 || y <= 1 || y >= height - 2) return [x, y, score];
  const smooth = blurred(map, width, height, kernel), scale = score / smooth.reduce((a, b) => Math.max(a, b));
  const at = (right, down) => Math.log(Math.max(smooth[(y + down) * width + x + right] * scale, 1e-10));
  const dx = (at(1, 0) - at(-1, 0)) / 2, dy = (at(0, 1) - at(0, -1)) / 2;
  const dxx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4, dyy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4;
  const dxy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4, determinant = dxx * dyy - dxy ** 2;
  if (determinant !== 0) {
    x += (dxy * dy - dyy * dx) / determinant;
    y += (dxy * dx - dxx * dy) / determinant;
  }
  return [x, y, score];
}

/** How sure it is that a person is there: the mean score of the better half of the keypoints. */
function confidence(keypoints) {
  const half = keypoints.length >> 1, scores = keypoints.map((one) => one[2]).sort((a, b) => b - a);
  return sum(scores.slice(0, half)) / half;
}

/** The box about the confident keypoints, within the image, or nothing if they are too few; its sides are kept. */
function boxOfKeypoints(keypoints, { width, height }, [leastWidth, leastHeight] = [0, 0]) {
  const seen = keypoints.filter((one) => one[2] > 0.3);
  if (seen.length < Math.max(keypoints.length >> 2, 2)) return [];
  const xs = seen.map((one) => one[0]), ys = seen.map((one) => one[1]);
  const [left, top, right, bottom] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  const margin = 0.1 * Math.max(right - left, bottom - top), x = (left + right) / 2, y = (top + bottom) / 2;
  const halfX = Math.max((right - left) / 2 + margin, leastWidth / 2);
  const halfY = Math.max((bottom - top) / 2 + margin, leastHeight / 2);
  const box = [clamp(x - halfX, 0, width), clamp(y - halfY, 0, height), clamp(x + halfX, 0, width), clamp(y + halfY, 0, height)];
  return box[2] - box[0] >= 1 && box[3] - box[1] >= 1 ? [[...box, 1]] : [];
}

/** The persons, best first, but those whose pose nearly equals a better one's. */
function withoutDuplicates(persons, sigmas) {
  const kept = [], area = ({ region }) => region.width * region.height;
  const similarity = (one, other) => sum(sigmas.map((sigma, index) => {
    const [x, y] = one.keypoints[index], [u, v] = other.keypoints[index];
    return Math.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma) ** 2 / (area(one) + area(other)));
  })) / sigmas.length;
  for (const person of [...persons].sort((a, b) => b.score - a.score)) {
    if (kept.every((better) => similarity(better, person) <= 0.9)) kept.push(person);
  }
  return kept;
}

/** A pose network or the detector, and what it needs: networks.json. */
class Estimator {
  constructor(ort, spec, sessions) {
    Object.assign(this, { ort, spec, sessions });
  }

  async run(name, values, dims) {
    const session = this.sessions[name];
    return session.run({ [session.inputNames[0]]: new this.ort.Tensor('float32', values, dims) });
  }

  /** Boxes [left, top, right, bottom, score] of what may be persons. */
  async detect(image) {
    const { size, threshold, power } = this.spec.detector, { values, ratio, left, top } = fit(image, size);
    const { data, dims } = Object.values(await this.run('detector', values, [1, 3, size, size]))[0], boxes = [];
    for (let row = 0; row < dims[1]; row++) {
      const [x0, y0, x1, y1, score] = data.subarray(5 * row, 5 * row + 5);
      const [across, down] = [left, top].map((corner, axis) => (value) =>
        clamp((value - corner) / ratio, 0, axis ? image.height : image.width));
      const box = [across(x0), down(y0), across(x1), down(y1), score ** power];
      if (score >= threshold && box[2] - box[0] >= 1 && box[3] - box[1] >= 1) boxes.push(box);
    }
    return boxes;
  }

  /** The person in a box, with the attention weights of each dynamic layer, if the network has some. */
  async estimate(image, network, box) {
    const region = regionOf(box, this.spec), [W, H] = this.spec.input;
    const outputs = await this.run(network, crop(image, region, this.spec), [1, 3, H, W]);
    const { data, dims: [, count, height, width] } = outputs.heatmaps;
    const keypoints = Array.from({ length: count }, (_, index) => {
      const map = data.subarray(index * width * height, (index + 1) * width * height);
      const [x, y, score] = maximum(map, width, height, this.spec.blur);
      return [region.x + (x / width - 0.5) * region.width, region.y + (y / height - 0.5) * region.height, score];
    });
    const seen = keypoints.map((one) => one[2]).filter((score) => score > 0.2);
    const score = (box[4] * sum(seen)) / Math.max(seen.length, 1);
    const attention = this.spec.layers.map(({ output }) => outputs[output] && [...outputs[output].data]);
    return { box, region, keypoints, score, attention: attention[0] ? attention : null };
  }

  /** The persons of an image, in the boxes or where the detector finds some; and how long that took. */
  async find(image, network, boxes) {
    const start = performance.now();
    if (!boxes) {
      boxes = await this.detect(image);
      if (!boxes.length) {
        const whole = await this.estimate(image, network, [0, 0, image.width, image.height, 1]);
        boxes = boxOfKeypoints(whole.keypoints, image);
      }
    }
    const detected = performance.now(), found = [];
    for (const [index, box] of boxes.entries()) found.push({ index, ...(await this.estimate(image, network, box)) });
    const end = performance.now();
    const sure = withoutDuplicates(found, this.spec.sigmas).filter((one) => confidence(one.keypoints) >= 0.5);
    const next = sure.flatMap(({ keypoints, box: [left, top, right, bottom] }) =>
      boxOfKeypoints(keypoints, image, [0.9 * (right - left), 0.9 * (bottom - top)]));
    const times = { total: end - start, detector: detected - start, person: boxes.length ? (end - detected) / boxes.length : null };
    return { persons: sure, boxes, next, times };
  }
}

// ---- The worker ----

/** Gets a file, and tells how many bytes came with each piece. */
async function download(path, tell) {
  const answer = await fetch(path).catch(() => ({ ok: false, status: 'no connection' }));
  if (!answer.ok) throw new Error(`The file ${path} did not arrive (${answer.status}): reload the page to try again.`);
  const pieces = [], reader = answer.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value);
    tell(piece.value.length);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

async function load(spec) {
  const names = Object.keys(spec.files);
  const tell = (bytes) => postMessage({ bytes });
  const contents = await Promise.all(names.map((name) => download(spec.files[name].path, tell)));
  const ort = await import('./onnxruntime/ort.wasm.min.mjs'), sessions = {};
  const threads = self.crossOriginIsolated ? clamp(navigator.hardwareConcurrency || 1, 1, 4) : 1;
  Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary: contents[names.indexOf('runtime')].buffer });
  for (const [place, name] of names.entries()) {
    if (name !== 'runtime') sessions[name] = await ort.InferenceSession.create(contents[place]);
  }
  const estimator = new Estimator(ort, spec, sessions), empty = { data: new Uint8Array(4), width: 1, height: 1 };
  for (const name of ['dynamic', 'static']) await estimator.find(empty, name); // the first run is slow
  return { estimator, threads };
}

/** Answers messages one after the other. */
function serve() {
  const images = {};
  let estimator, queue = Promise.resolve();
  const answers = {
    async load({ spec }) {
      const loaded = await load(spec);
      estimator = loaded.estimator;
      return { threads: loaded.threads };
    },
    /** Takes a bitmap, or the last one of that name again. */
    async find({ name, bitmap, network, boxes }) {
      if (bitmap) {
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d', { willReadFrequently: true });
        context.fillStyle = 'white'; // where the image is transparent
        context.fillRect(0, 0, bitmap.width, bitmap.height);
        context.drawImage(bitmap, 0, 0);
        images[name] = context.getImageData(0, 0, bitmap.width, bitmap.height);
        bitmap.close();
      }
      return estimator.find(images[name], network, boxes);
    },
  };
  onmessage = ({ data }) => {
    queue = queue.then(() => answers[data.kind](data)).then(
      (answer) => postMessage({ id: data.id, answer }),
      (error) => postMessage({ id: data.id, error: error.message }),
    );
  };
}

// ---- The page ----

const MOST_MEGAPIXELS = 64, KEPT_MEGAPIXELS = 12, FRAMES_BETWEEN_DETECTIONS = 10;
/** A module that adds vectors: valid where the browser has WebAssembly SIMD. */
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const EXAMPLES = [
  ['000000234748', 'A person before a house', '5056705611'],
  ['000000252219', 'Persons in a street', '3232237447'],
  ['000000165518', 'A skier in the fog', '7243537732'],
  ['000000000790', 'Persons at a table', '7866247804'],
];

const element = (id) => document.getElementById(id);
/** Makes an element with attributes and content. */
function make(tag, attributes = {}, ...content) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...content);
  return made;
}
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

/** The worker, as a function from a message to the promise of its answer. */
function startWorker(onBytes) {
  const worker = new Worker(import.meta.url, { type: 'module' }), waiting = new Map();
  let count = 0;
  worker.onmessage = ({ data }) => {
    if (data.bytes) return onBytes(data.bytes);
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    return 'error' in data ? reject(new Error(data.error)) : resolve(data.answer);
  };
  worker.onerror = (event) => waiting.forEach(({ reject }) => reject(new Error(event.message || 'The computation stopped: reload the page.')));
  return (message, transfer = []) => new Promise((resolve, reject) => {
    count += 1;
    waiting.set(count, { resolve, reject });
    worker.postMessage({ ...message, id: count }, transfer);
  });
}

/** Width, height and pixels of a file, once it is known that they fit; an Error with a sentence otherwise. */
async function openImage(blob, name) {
  const shown = new Image(), address = URL.createObjectURL(blob);
  try {
    shown.src = address;
    await new Promise((resolve, reject) => Object.assign(shown, { onload: resolve, onerror: reject }));
    const { naturalWidth: width, naturalHeight: height } = shown, megapixels = (width * height) / 1e6;
    if (megapixels > MOST_MEGAPIXELS) {
      throw new RangeError(`“${name}” has ${Math.round(megapixels)} megapixels, and the page takes ${MOST_MEGAPIXELS} at most: make it smaller.`);
    }
    const scale = Math.min(Math.sqrt(KEPT_MEGAPIXELS / megapixels), 1);
    const smaller = scale < 1 ? { resizeWidth: Math.round(width * scale), resizeHeight: Math.round(height * scale), resizeQuality: 'high' } : {};
    return { bitmap: await createImageBitmap(blob, { colorSpaceConversion: 'none', ...smaller }), scale };
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new Error(`“${name}” is no image that this browser can read: choose a JPEG, PNG or WebP file.`);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** One of the two pictures: where it comes from, what was found on it, and who is chosen. */
class Panel {
  constructor(id, title, hint, page) {
    Object.assign(this, { id, title, page, root: element(id), ticket: 0, persons: [], attention: {}, times: {}, chosen: 0 });
    this.root.append(element('panel').content.cloneNode(true));
    const part = (selector) => this.root.querySelector(selector);
    Object.assign(this, { photo: part('.photo'), overlay: part('.overlay'), message: part('.message'), webcam: part('.webcam') });
    Object.assign(this, { corner: part('.corner'), list: part('.persons'), hint: part('.hint'), view: part('.view') });
    part('h2').textContent = title;
    this.hint.textContent = hint;
    for (const [name, description] of EXAMPLES) {
      const image = make('img', { src: `photographs/${name}.jpg`, alt: description });
      const button = make('button', { type: 'button', title: description, onclick: () => this.example(`${name}.jpg`) }, image);
      button.dataset.name = name;
      part('.examples').append(button);
    }
    part('input').onchange = ({ target }) => {
      if (target.files[0]) this.open(target.files[0], target.files[0].name);
      target.value = '';
    };
    this.view.ondragover = (event) => { event.preventDefault(); this.view.classList.add('dropping'); };
    this.view.ondragleave = () => this.view.classList.remove('dropping');
    this.view.ondrop = ({ dataTransfer: { files } }) => {
      this.view.classList.remove('dropping');
      if (files[0]) this.open(files[0], files[0].name);
    };
    this.webcam.onclick = () => (this.stream ? this.stop() : this.watch());
    this.overlay.onclick = (event) => this.choose(this.personAt(event));
  }

  say(text, state) {
    this.message.textContent = text;
    this.root.dataset.state = state;
  }

  /** Stops the camera and makes answers to what was asked before void; returns whether a later answer is still wanted. */
  begin() {
    this.stop();
    this.ticket += 1;
    const { ticket } = this;
    return () => ticket === this.ticket;
  }

  async example(name) {
    const isWanted = this.begin(), answer = await fetch(`photographs/${name}`).catch(() => null);
    if (!isWanted()) return;
    if (answer?.ok) await this.open(await answer.blob(), name);
    else this.say('The photograph did not arrive: try again.', 'error');
  }

  async open(blob, name) {
    const isWanted = this.begin();
    this.say('The picture is opened …', 'busy');
    try {
      const { bitmap, scale } = await openImage(blob, name);
      if (!isWanted()) return bitmap.close();
      Object.assign(this, { name, scale });
      this.show(bitmap);
      for (const button of this.root.querySelectorAll('.examples button')) {
        button.ariaPressed = String(name === `${button.dataset.name}.jpg`);
      }
      await this.find(isWanted, bitmap);
    } catch (error) {
      if (isWanted()) this.say(error.message, 'error');
    }
  }

  /** Puts an image onto the canvas; what was found on the last one goes. */
  show(image, times = {}) {
    for (const canvas of [this.photo, this.overlay]) Object.assign(canvas, { width: image.width, height: image.height, hidden: false });
    const context = this.photo.getContext('2d');
    context.fillStyle = 'white';
    context.fillRect(0, 0, image.width, image.height);
    context.drawImage(image, 0, 0);
    this.hint.hidden = true;
    Object.assign(this, { persons: [], attention: {}, times, boxes: null, chosen: 0 });
    this.draw();
  }

  /** Runs the network that is switched on and then, for its time and attention, the other. */
  async find(isWanted, bitmap, boxes) {
    this.say(this.page.isReady ? 'Looking for persons …' : 'The persons come once the networks are loaded.', 'busy');
    await this.page.ready;
    for (const network of this.page.network === 'dynamic' ? ['dynamic', 'static'] : ['static', 'dynamic']) {
      if (!isWanted()) return;
      const transfer = bitmap ? [bitmap] : [];
      const answer = await this.page.ask({ kind: 'find', name: this.id, network, boxes, bitmap }, transfer);
      if (!isWanted()) return;
      [bitmap, boxes] = [null, answer.boxes];
      this.take(answer, network, network === this.page.network);
    }
    this.say(this.verdict(), 'done');
  }

  /** Takes what the worker found; persons only of the network that is switched on. */
  take({ persons, boxes, times }, network, isShown) {
    this.boxes = boxes;
    this.times[network] = times.person;
    for (const person of persons) if (person.attention) this.attention[person.index] = person.attention;
    if (isShown) {
      const chosen = this.persons[this.chosen]?.index;
      this.persons = persons;
      this.chosen = Math.max(persons.findIndex((person) => person.index === chosen), 0);
      const rate = times.person ? ` · ${(1000 / times.person).toFixed(1)} persons a second` : '';
      this.corner.textContent = `${Math.round(times.total)} ms${rate}`;
      this.corner.hidden = false;
    }
    this.draw();
  }

  verdict() {
    if (!this.persons.length) return 'Nobody was found: try a picture on which persons are larger, or seen whole.';
    const note = this.scale < 1 ? ' The picture was made smaller for that.' : '';
    return (this.persons.length === 1 ? 'One person was found.' : `${this.persons.length} persons were found: click one.`) + note;
  }

  /** The webcam: a frame is taken when the last one is done, and those in between are dropped. */
  async watch() {
    const isWanted = this.begin(), video = make('video', { muted: true, playsInline: true });
    this.say('The webcam is asked for …', 'busy');
    try {
      if (!navigator.mediaDevices) throw new DOMException('', 'InsecureContext');
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
      Object.assign(this, { stream, name: 'webcam', scale: 1 });
      if (!isWanted()) return this.stop();
      video.srcObject = stream;
      await video.play();
    } catch ({ name }) {
      const reasons = {
        NotAllowedError: 'The webcam was refused: allow it for this page in the browser, or choose a photograph.',
        NotFoundError: 'There is no webcam: connect one, or choose a photograph.',
        InsecureContext: 'Browsers give the webcam to pages from https or 127.0.0.1 alone: choose a photograph.',
      };
      if (isWanted()) this.say(reasons[name] ?? 'The webcam gives no picture, perhaps another program has it: choose a photograph.', 'error');
      return this.stop();
    }
    this.webcam.ariaPressed = 'true';
    this.say(this.page.isReady ? 'Live.' : 'The persons come once the networks are loaded.', 'live');
    await this.page.ready;
    if (isWanted()) this.say('Live.', 'live');
    let boxes = null;
    for (let frame = 0; isWanted() && this.stream; frame++) {
      try {
        const bitmap = await createImageBitmap(video), { network } = this.page, { chosen } = this;
        const again = frame % FRAMES_BETWEEN_DETECTIONS && boxes?.length ? boxes : null;
        const shown = await createImageBitmap(bitmap);
        const answer = await this.page.ask({ kind: 'find', name: this.id, network, boxes: again, bitmap }, [bitmap]);
        if (isWanted() && this.stream) {
          this.show(shown, this.times);
          boxes = answer.next;
          this.take(answer, network, true);
          this.chosen = Math.min(chosen, Math.max(this.persons.length - 1, 0));
          this.draw();
        }
        shown.close();
      } catch (error) {
        this.say(error.message, 'error');
        this.stop();
      }
    }
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.webcam.ariaPressed = 'false';
  }

  personAt({ offsetX, offsetY }) {
    const factor = this.overlay.width / this.overlay.clientWidth, [x, y] = [offsetX * factor, offsetY * factor];
    const distance = ({ keypoints }) => Math.min(...keypoints.map(([u, v]) => Math.hypot(u - x, v - y)));
    const distances = this.persons.map(distance);
    return Math.max(distances.indexOf(Math.min(...distances)), 0);
  }

  choose(index) {
    this.chosen = index;
    this.draw();
  }

  draw() {
    const { overlay, persons } = this, context = overlay.getContext('2d'), { skeleton, limbColors, keypointColors } = this.page.spec ?? {};
    context.clearRect(0, 0, overlay.width, overlay.height);
    context.lineCap = 'round';
    persons.forEach(({ keypoints, box: [left, top, right, bottom] }, index) => {
      const width = Math.max(Math.sqrt((right - left) * (bottom - top)) / 100, overlay.width / 500);
      if (index === this.chosen && persons.length > 1) {
        context.globalAlpha = 1;
        context.setLineDash([3 * width, 3 * width]);
        Object.assign(context, { lineWidth: overlay.width / 250, strokeStyle: 'white' });
        context.strokeRect(left, top, right - left, bottom - top);
        context.setLineDash([]);
      }
      skeleton.forEach(([from, to], limb) => {
        const [[x0, y0, first], [x1, y1, second]] = [keypoints[from], keypoints[to]];
        context.globalAlpha = clamp(Math.min(first, second), 0, 1);
        context.beginPath();
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
        for (const [lineWidth, strokeStyle] of [[1.8 * width, '#202020'], [width, `rgb(${limbColors[limb]})`]]) {
          Object.assign(context, { lineWidth, strokeStyle });
          context.stroke();
        }
      });
      keypoints.forEach(([x, y, score], place) => {
        context.globalAlpha = clamp(score, 0, 1);
        for (const [radius, fillStyle] of [[1.5 * width, '#202020'], [1.1 * width, `rgb(${keypointColors[place]})`]]) {
          context.beginPath();
          context.arc(x, y, radius, 0, 2 * Math.PI);
          context.fillStyle = fillStyle;
          context.fill();
        }
      });
    });
    overlay.ariaLabel = `${this.title}: ${persons.length || 'no'} persons`;
    while (this.list.children.length > persons.length) this.list.lastChild.remove();
    while (this.list.children.length < persons.length) {
      const index = this.list.children.length;
      this.list.append(make('button', { type: 'button', onclick: () => this.choose(index) }));
    }
    persons.forEach(({ keypoints }, index) => {
      const button = this.list.children[index];
      button.textContent = `Person ${index + 1} · ${percent(confidence(keypoints))}`;
      button.ariaPressed = String(index === this.chosen);
    });
    this.page.refresh(this);
  }

  get person() {
    return this.persons[this.chosen];
  }

  /** The persons in COCO's results format, in pixels of the file. */
  get coco() {
    const stem = this.name?.replace(/\.\w+$/, ''), round = (value, digits) => Number(value.toFixed(digits));
    return this.persons.map(({ keypoints, box: [left, top, right, bottom], score }) => ({
      image_id: /^\d+$/.test(stem) ? Number(stem) : 1,
      category_id: 1,
      file_name: this.name,
      keypoints: keypoints.flatMap(([x, y, value]) => [round(x / this.scale, 4), round(y / this.scale, 4), round(value, 4)]),
      score: round(score, 7),
      bbox: [left, top, right - left, bottom - top].map((value) => round(value / this.scale, 3)),
    }));
  }
}

/** The attention of two persons, as bars for each dynamic layer. */
class Attention {
  constructor(layers) {
    this.count = layers[0].kernels;
    element('kernels').textContent = this.count;
    const swatch = (index) => make('span', {}, make('i', { style: `background: var(--kernel-${index + 1})` }), `kernel ${index + 1}`);
    element('legend').append(...Array.from({ length: this.count }, (_, index) => swatch(index)), 'upper bar: first picture, lower bar: second');
    this.rows = layers.map((layer) => {
      const bars = [0, 1].map(() => {
        const parts = Array.from({ length: this.count }, (_, index) => make('i', { style: `background: var(--kernel-${index + 1})` }));
        return Object.assign(make('div', { className: 'mixture', hidden: true }, ...parts), { parts });
      });
      const both = make('div', { role: 'img' }, ...bars), moved = make('span');
      return { layer, bars, both, moved, root: make('div', { className: 'layer' }, make('span', {}, layer.label), both, moved) };
    });
    for (const stage of new Set(layers.map((layer) => layer.stage))) {
      const rows = this.rows.filter(({ layer }) => layer.stage === stage).map(({ root }) => root);
      element('layers').append(make('div', { className: 'stage' }, make('h3', {}, stage), ...rows));
    }
  }

  /** Shows what one or both persons' layers mixed, (layers, K) each. */
  show(weights) {
    const known = weights.filter(Boolean), least = Math.min(1 / this.count, ...known.flat(2));
    if (!known.length) return;
    // The largest factor at which no share becomes negative.
    const factor = Math.max(Math.floor(1 / (1 - this.count * least + 1e-9)), 1), isMagnified = element('magnify').checked;
    element('factor').textContent = isMagnified ? `(×${factor})` : '';
    const differences = this.rows.map(({ bars, both, moved, layer, root }, row) => {
      const words = weights.map((one, side) => {
        bars[side].hidden = !one;
        one?.[row].forEach((share, kernel) => {
          const shown = isMagnified ? 1 / this.count + factor * (share - 1 / this.count) : share;
          bars[side].parts[kernel].style.width = `${100 * shown}%`;
        });
        return one && `${side ? 'second' : 'first'} picture ${one[row].map((share) => percent(share, 1)).join(', ')}`;
      });
      const difference = known.length > 1 ? sum(known[0][row].map((share, kernel) => Math.abs(share - known[1][row][kernel]))) / 2 : null;
      moved.textContent = difference === null ? '' : percent(difference, 1);
      both.ariaLabel = words.filter(Boolean).join('; ');
      root.title = `${layer.title}\nShares of the kernels: ${both.ariaLabel}`;
      return difference;
    });
    const highest = differences.indexOf(Math.max(...differences));
    this.rows.forEach(({ root }, row) => root.classList.toggle('moved', known.length > 1 && row === highest));
    const largest = Math.max(...known.flat(2));
    element('summary').textContent = known.length > 1
      ? `Between the two persons ${percent(sum(differences) / differences.length, 1)} of a layer’s mixture changes on average, and ${percent(differences[highest], 1)} where most does (in bold). The numbers beside the bars say it for each layer.`
      : `Equal shares would be ${percent(1 / this.count)} each; the largest here is ${percent(largest, 1)}. Choose a second picture beside it to see what changes.`;
  }
}

/** What belongs to both pictures. */
class Page {
  constructor() {
    this.network = 'dynamic';
    this.panels = [
      new Panel('first', 'First picture', 'Click one of the four photographs, or drop one of yours here.', this),
      new Panel('second', 'Second picture, to compare', 'A second picture here shows whether the mixtures change.', this),
    ];
    this.current = this.panels[0];
    for (const type of ['dragover', 'drop']) addEventListener(type, (event) => event.preventDefault());
    for (const radio of document.getElementsByName('network')) radio.onchange = () => this.choose(radio.value);
    element('magnify').onchange = () => this.refresh();
    element('copy').onclick = () => navigator.clipboard.writeText(element('json').textContent).then(
      () => { element('copied').textContent = 'Copied.'; },
      () => { element('copied').textContent = 'The browser refuses to copy: open “JSON of the picture” and copy it there.'; },
    );
    element('credits').append(...EXAMPLES.flatMap(([, , author], index) =>
      [index ? ', ' : '', make('a', { href: `https://www.flickr.com/photo.gne?id=${author}` }, String(index + 1))]));
    this.ready = this.load();
    this.ready.catch((error) => this.say(error.message, 'error'));
  }

  say(text, state) {
    element('status').textContent = text;
    element('status').classList.toggle('error', state === 'error');
    element('progress').hidden = state !== 'loading';
    document.body.dataset.state = state;
  }

  async load() {
    if (typeof WebAssembly !== 'object' || !WebAssembly.validate(new Uint8Array(SIMD))) {
      throw new Error('This browser lacks WebAssembly SIMD, in which the networks run: use a newer Chrome, Edge, Firefox or Safari.');
    }
    this.spec = await fetch('networks.json').then((answer) => answer.json()).catch(() => {
      throw new Error('The networks are missing beside the page: build its folder by “make web”.');
    });
    const { files, layers } = this.spec, total = sum(Object.values(files).map(({ bytes }) => bytes));
    this.attention = new Attention(layers);
    this.refresh();
    let bytes = 0;
    const worker = startWorker((more) => {
      bytes += more;
      element('progress').value = bytes / total;
      const share = `${(bytes / 1e6).toFixed(0)} of ${(total / 1e6).toFixed(0)} MB`;
      this.say(bytes < total ? `The networks are loading: ${share}.` : 'The networks are loaded and get ready …', 'loading');
    });
    this.say('The networks are loading …', 'loading');
    const { threads } = await worker({ kind: 'load', spec: this.spec });
    Object.assign(this, { ask: worker, isReady: true });
    if (!crossOriginIsolated) {
      element('notice').textContent = 'It runs on one thread, since the server does not send the headers COOP and COEP: slower, but the same.';
      element('notice').hidden = false;
    }
    this.say(`Ready, on ${threads === 1 ? 'one thread' : `${threads} threads`}.`, 'ready');
  }

  /** Switches the network, and runs it on the pictures. */
  choose(network) {
    this.network = network;
    for (const panel of this.panels.filter(({ boxes, stream }) => boxes && !stream)) {
      panel.find(panel.begin(), null, panel.boxes).catch((error) => panel.say(error.message, 'error'));
    }
    this.refresh();
  }

  /** Shows what is below the pictures, for the panel where something changed last. */
  refresh(panel = this.current) {
    if (!this.spec || !this.panels) return;
    this.current = panel;
    this.attention?.show(this.panels.map(({ attention, person }) => person && attention[person.index]));
    element('times').tBodies[0].replaceChildren(...['dynamic', 'static'].map((network) => {
      const time = panel.times[network], { bytes } = this.spec.files[network];
      const texts = [time ? time.toFixed(0) : '–', time ? (1000 / time).toFixed(1) : '–', `${(bytes / 1e6).toFixed(1)} MB`];
      const row = make('tr', {}, make('th', { scope: 'row' }, network), ...texts.map((text) => make('td', {}, text)));
      if (network === this.network) row.setAttribute('aria-current', 'true');
      return row;
    }));
    const { person } = panel, coco = panel.coco;
    element('whose').textContent = person ? `Person ${panel.chosen + 1} of the ${panel.id} picture` : 'Table of the chosen person';
    element('points').tBodies[0].replaceChildren(...(person?.keypoints ?? []).map(([x, y, score], index) =>
      make('tr', {}, make('th', { scope: 'row' }, this.spec.names[index].replaceAll('_', ' ')),
        ...[(x / panel.scale).toFixed(1), (y / panel.scale).toFixed(1), score.toFixed(2)].map((text) => make('td', {}, text)))));
    element('json').textContent = JSON.stringify(coco);
    element('copy').disabled = !coco.length;
    element('copied').textContent = '';
  }
}

if (isWorker) serve();
else new Page();
