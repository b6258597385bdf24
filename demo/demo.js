// The demo page. One module, run twice: the page shows, and a worker of the same file computes, so nothing freezes.
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
          for (let channel = 0; channel < 3; channel++) {
            line[3 * x + channel] += Math.fround(data[from + 2 - channel] * shareX);
          }
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
  const width = f(f(right - left) * padding), height = f(f(bottom - top) * padding);
  const isWide = width > f(height * aspect);
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

/** A heatmap's maximum [x, y, score], to a part of a pixel by a Gaussian through its blurred surroundings (DARK). */
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
  const [x0, x1] = [x - halfX, x + halfX].map((value) => clamp(value, 0, width));
  const [y0, y1] = [y - halfY, y + halfY].map((value) => clamp(value, 0, height));
  return x1 - x0 >= 1 && y1 - y0 >= 1 ? [[x0, y0, x1, y1, 1]] : [];
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
    const start = performance.now(), isGiven = Boolean(boxes);
    if (!isGiven) {
      boxes = await this.detect(image);
      if (!boxes.length) {
        const whole = await this.estimate(image, network, [0, 0, image.width, image.height, 1]);
        boxes = boxOfKeypoints(whole.keypoints, image);
      }
    }
    const detected = performance.now(), found = [];
    for (const [index, box] of boxes.entries()) found.push({ index, ...(await this.estimate(image, network, box)) });
    const end = performance.now();
    const isSure = ({ keypoints }) => confidence(keypoints) >= this.spec.personThreshold;
    const sure = withoutDuplicates(found, this.spec.sigmas).filter(isSure);
    const next = sure.flatMap(({ keypoints, box: [left, top, right, bottom] }) =>
      boxOfKeypoints(keypoints, image, [0.9 * (right - left), 0.9 * (bottom - top)]));
    const person = boxes.length ? (end - detected) / boxes.length : null;
    const times = { detector: isGiven ? null : detected - start, person };
    return { persons: sure, boxes, next, times };
  }
}

// ---- The worker ----

/** Gets a file, and tells how many bytes came with each piece. */
async function download(path, tell) {
  try {
    const answer = await fetch(path), pieces = [], reader = answer.body.getReader();
    if (!answer.ok) throw new Error(answer.status);
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      pieces.push(piece.value);
      tell(piece.value.length);
    }
    return new Uint8Array(await new Blob(pieces).arrayBuffer());
  } catch ({ message }) {
    throw new Error(`The file ${path} did not arrive (${message}): reload the page to try again.`);
  }
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

/** Draws an image, over white where it is transparent. */
function paint(context, image) {
  context.fillStyle = 'white';
  context.fillRect(0, 0, image.width, image.height);
  context.drawImage(image, 0, 0);
}

/** Answers messages one after the other. */
function serve() {
  const images = {}, context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
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
        Object.assign(context.canvas, { width: bitmap.width, height: bitmap.height });
        paint(context, bitmap);
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
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11];
/** File, description, and the photograph's page at Flickr, which names the author. */
const EXAMPLES = [
  ['000000234748.jpg', 'A person before a house', '5056705611'],
  ['000000252219.jpg', 'Persons in a street', '3232237447'],
  ['000000165518.jpg', 'A motorcyclist in the fog', '7243537732'],
  ['000000000790.jpg', 'Persons at a table', '7866247804'],
];
const WEBCAM_ERRORS = {
  NotAllowedError: 'The webcam was refused: allow it for this page in the browser, or choose a photograph.',
  NotFoundError: 'There is no webcam: connect one, or choose a photograph.',
  TypeError: 'The webcam needs a page from https or 127.0.0.1: choose a photograph.',
};

const element = (id) => document.getElementById(id);
/** Makes an element with properties and content. */
function make(tag, properties = {}, ...content) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}
const makeRow = (head, ...texts) =>
  make('tr', {}, make('th', { scope: 'row' }, head), ...texts.map((text) => make('td', {}, text)));
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

/** The worker, as a function from a message to the promise of its answer. */
function startWorker(onBytes) {
  const worker = new Worker(import.meta.url, { type: 'module' }), waiting = new Map();
  worker.onmessage = ({ data }) => {
    if (data.bytes) return onBytes(data.bytes);
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    return 'error' in data ? reject(new Error(data.error)) : resolve(data.answer);
  };
  let id = 0, stopped = null;
  worker.onerror = () => {
    stopped = new Error('The computation stopped: reload the page.');
    waiting.forEach(({ reject }) => reject(stopped));
  };
  return (message, ...transfer) => new Promise((resolve, reject) => {
    if (stopped) return reject(stopped);
    id += 1;
    waiting.set(id, { resolve, reject });
    worker.postMessage({ ...message, id }, transfer);
  });
}

/** The pixels of a file, and how much it was made smaller; an Error where it is no image or too large. */
async function openImage(blob, name) {
  const shown = new Image(), address = URL.createObjectURL(blob);
  try {
    shown.src = address;
    await new Promise((resolve, reject) => Object.assign(shown, { onload: resolve, onerror: reject }));
    const { naturalWidth: width, naturalHeight: height } = shown, megapixels = (width * height) / 1e6;
    if (megapixels > MOST_MEGAPIXELS) {
      const size = `${Math.round(megapixels)} megapixels, and the page takes ${MOST_MEGAPIXELS} at most`;
      throw new RangeError(`“${name}” has ${size}: make it smaller.`);
    }
    const scale = Math.min(Math.sqrt(KEPT_MEGAPIXELS / megapixels), 1), options = { colorSpaceConversion: 'none' };
    if (scale < 1) Object.assign(options, { resizeWidth: Math.round(width * scale), resizeQuality: 'high' });
    return { bitmap: await createImageBitmap(blob, options), scale };
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new Error(`“${name}” is no image that this browser can read: choose a JPEG, PNG or WebP file.`);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** The number of the person whose box has its centre nearest to that of another person's. */
function nearest(persons, { box: last }) {
  const distances = persons.map(({ box }) => Math.hypot(...[0, 1].map((axis) =>
    box[axis] + box[axis + 2] - last[axis] - last[axis + 2])));
  return Math.max(distances.indexOf(Math.min(...distances)), 0);
}

/** One of the two images: where it comes from, what was found on it, and who is chosen. */
class Panel {
  persons = [];
  attention = {}; // by the number of the box
  times = {}; // milliseconds a person, by network
  chosen = 0;

  constructor(id, title, hint, page) {
    Object.assign(this, { id, title, page, root: element(id) });
    this.root.append(element('panel').content.cloneNode(true));
    for (const part of this.root.querySelectorAll('[class]')) this[part.className] = part; // .photo is this.photo
    this.root.querySelector('h2').textContent = title;
    this.hint.textContent = hint;
    this.buttons = EXAMPLES.map(([name, title]) =>
      make('button', { type: 'button', title, name, onclick: () => this.example(name) },
        make('img', { src: `photographs/${name}`, alt: title })));
    this.examples.append(...this.buttons);
    const take = ([file]) => file && this.open(file.name, file);
    this.root.querySelector('input').onchange = ({ target }) => { take(target.files); target.value = ''; };
    this.view.ondragover = () => this.view.classList.add('dropping');
    this.view.ondragleave = () => this.view.classList.remove('dropping');
    this.view.ondrop = ({ dataTransfer }) => { this.view.ondragleave(); take(dataTransfer.files); };
    this.webcam.onclick = () => (this.stream ? this.end() : this.watch());
    this.overlay.onclick = (event) => this.choose(this.personAt(event));
  }

  say(text, state) {
    this.message.textContent = text;
    this.root.dataset.state = state;
  }

  /** Takes a new ticket for opening or computing; returns what tells whether it is still the last one. */
  ticket(kind) {
    const ticket = {};
    this[kind] = ticket;
    return () => this[kind] === ticket;
  }

  /** Ends the webcam and the last computation, and takes the ticket for a new one. */
  begin() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.webcam.ariaPressed = 'false';
    return this.ticket('computing');
  }

  example(name) {
    const blob = fetch(`photographs/${name}`).then((answer) => (answer.ok ? answer.blob() : Promise.reject()));
    return this.open(name, blob.catch(() => { throw new Error('The photograph did not arrive: try again.'); }));
  }

  /** Opens a file, or what is promised as one; what was found on the last image stays until it is there. */
  async open(name, blob) {
    const isWanted = this.ticket('opening');
    this.say('The image is opened …', 'busy');
    try {
      const { bitmap, scale } = await openImage(await blob, name);
      if (!isWanted()) return bitmap.close();
      Object.assign(this, { name, scale });
      this.page.current = this;
      this.show(bitmap);
      this.draw();
      await this.find(bitmap);
    } catch (error) {
      if (isWanted()) this.say(error.message, 'error');
    }
  }

  /** Puts an image onto the canvas; what was found on the last one goes. */
  show(image) {
    for (const canvas of [this.photo, this.overlay]) {
      Object.assign(canvas, { width: image.width, height: image.height, hidden: false });
    }
    paint(this.photo.getContext('2d'), image);
    this.hint.hidden = true;
    for (const button of this.buttons) button.ariaPressed = String(button.name === this.name);
    Object.assign(this, { persons: [], attention: {}, times: {}, boxes: null, chosen: 0, last: null });
  }

  /** Runs the network that is switched on and then, for its time and attention, the other. */
  async find(image, boxes) {
    const isWanted = this.begin();
    this.say(this.page.waitingFor('Looking for persons …'), 'busy');
    try {
      let bitmap = await image;
      await this.page.ready;
      for (const network of this.page.network === 'dynamic' ? ['dynamic', 'static'] : ['static', 'dynamic']) {
        if (!isWanted()) return bitmap?.close();
        const answer = await this.ask({ network, boxes, bitmap });
        if (!isWanted()) return;
        [bitmap, boxes] = [null, answer.boxes];
        this.take(answer, network);
        await new Promise((resolve) => setTimeout(resolve, 50)); // drawing would slow the other network down
      }
    } catch (error) {
      if (isWanted()) this.say(error.message, 'error');
      return;
    }
    if (!isWanted() || this.root.dataset.state === 'error') return; // another file could not be opened meanwhile
    const count = this.persons.length, note = this.scale < 1 ? ' The image was made smaller for that.' : '';
    const found = count > 1 ? `${count} persons were found: click one.` : 'One person was found.';
    const nobody = 'Nobody was found: try a image that shows persons larger and from head to foot.';
    this.say(count ? found + note : nobody, 'done');
  }

  ask(request) {
    return this.page.ask({ kind: 'find', name: this.id, ...request }, ...(request.bitmap ? [request.bitmap] : []));
  }

  /** Takes what the worker found; the persons only of the network that is switched on. */
  take({ persons, boxes, times }, network) {
    this.boxes = boxes;
    this.times[network] = times.person;
    this.times.detector = times.detector ?? this.times.detector;
    for (const person of persons) if (person.attention) this.attention[person.index] = person.attention;
    if (network === this.page.network) {
      this.persons = persons;
      this.chosen = this.last ? nearest(persons, this.last) : 0;
      const rate = times.person ? ` · ${Math.round(times.person)} ms a person` : '';
      this.corner.textContent = `detector ${Math.round(this.times.detector)} ms${rate}`;
      this.corner.hidden = false;
    }
    this.draw();
  }

  /** The webcam: a frame is taken when the last one is done, and those in between are dropped. */
  async watch() {
    const video = make('video', { muted: true, playsInline: true });
    let isWanted = this.ticket('opening');
    this.say('The webcam is asked for …', 'busy');
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
      if (!isWanted()) return stream.getTracks().forEach((track) => track.stop());
      isWanted = this.begin();
      Object.assign(this, { stream });
      stream.getVideoTracks()[0].onended = () => isWanted() && this.end();
      video.srcObject = stream;
      await video.play();
      this.page.current = this;
      this.webcam.ariaPressed = 'true';
      this.say(this.page.waitingFor('Live.'), 'live');
      await this.page.ready;
      if (isWanted()) this.say('Live.', 'live');
      for (let frame = 0, boxes = null; isWanted(); frame++) {
        const bitmap = await createImageBitmap(video), shown = await createImageBitmap(bitmap), { network } = this.page;
        const isTracked = frame % FRAMES_BETWEEN_DETECTIONS && boxes?.length;
        const answer = await this.ask({ network, bitmap, boxes: isTracked ? boxes : null });
        if (isWanted()) {
          const { times, last } = frame ? this : { times: {} };
          Object.assign(this, { name: 'webcam', scale: 1 });
          this.show(shown);
          Object.assign(this, { times, last });
          this.take(answer, network);
          boxes = answer.next;
        }
        shown.close();
      }
    } catch (error) {
      const text = WEBCAM_ERRORS[error.name] ?? 'The webcam gives no image: another program may have it.';
      if (isWanted()) this.end(error.constructor === Error ? error.message : text, 'error');
    }
  }

  /** Says that the webcam is off; the last frame stays. */
  end(text = 'The webcam is off.', state = 'done') {
    if (this.stream) this.begin();
    this.say(text, state);
  }

  /** The person with the keypoint that is nearest to a click. */
  personAt({ offsetX, offsetY }) {
    const factor = this.overlay.width / this.overlay.clientWidth;
    const distances = this.persons.map(({ keypoints }) =>
      Math.min(...keypoints.map(([x, y]) => Math.hypot(x - offsetX * factor, y - offsetY * factor))));
    return Math.max(distances.indexOf(Math.min(...distances)), 0);
  }

  choose(index) {
    this.chosen = index;
    this.page.current = this;
    this.draw();
  }

  draw() {
    const { overlay, persons } = this, context = overlay.getContext('2d');
    this.last = this.person ?? this.last; // on the webcam, a person may be missed in some frames
    context.clearRect(0, 0, overlay.width, overlay.height);
    persons.forEach((person, index) => {
      drawPerson(context, person, this.page.spec, persons.length > 1 && index === this.chosen);
    });
    overlay.ariaLabel = `${this.title}: ${persons.length === 1 ? '1 person' : `${persons.length || 'no'} persons`}`;
    const buttons = this.list.children; // kept, so that the focus stays
    while (buttons.length > persons.length) buttons[persons.length].remove();
    persons.forEach(({ keypoints }, index) => {
      if (!buttons[index]) this.list.append(make('button', { type: 'button', onclick: () => this.choose(index) }));
      buttons[index].textContent = `Person ${index + 1} · ${percent(confidence(keypoints))}`;
      buttons[index].ariaPressed = String(index === this.chosen);
    });
    this.page.refresh(this);
  }

  get person() {
    return this.persons[this.chosen];
  }

  /** The persons in COCO's results format, in pixels of the file. */
  get coco() {
    const stem = this.name?.replace(/\.\w+$/, ''), inFile = (value) => Number((value / this.scale).toFixed(4));
    return this.persons.map(({ keypoints, box: [left, top, right, bottom], score }) => ({
      image_id: /^\d+$/.test(stem) ? Number(stem) : 1,
      category_id: 1,
      file_name: this.name,
      keypoints: keypoints.flatMap(([x, y, value]) => [inFile(x), inFile(y), Number(value.toFixed(4))]),
      score: Number(score.toFixed(7)),
      bbox: [left, top, right - left, bottom - top].map(inFile),
    }));
  }
}

/** Draws a skeleton, as opaque as its keypoints score; a box about the chosen person. */
function drawPerson(context, { keypoints, box: [left, top, right, bottom] }, spec, isChosen) {
  const side = context.canvas.width, width = Math.max(Math.sqrt((right - left) * (bottom - top)) / 100, side / 500);
  if (isChosen) {
    Object.assign(context, { globalAlpha: 1, lineWidth: side / 250, strokeStyle: 'white' });
    context.setLineDash([side / 100, side / 100]);
    context.strokeRect(left, top, right - left, bottom - top);
    context.setLineDash([]);
  }
  context.lineCap = 'round';
  spec.skeleton.forEach(([from, to], limb) => {
    const [[x0, y0, first], [x1, y1, second]] = [keypoints[from], keypoints[to]];
    const line = new Path2D(`M ${x0} ${y0} L ${x1} ${y1}`);
    for (const [lineWidth, strokeStyle] of [[1.8 * width, '#202020'], [width, `rgb(${spec.limbColors[limb]})`]]) {
      Object.assign(context, { lineWidth, strokeStyle, globalAlpha: clamp(Math.min(first, second), 0, 1) });
      context.stroke(line);
    }
  });
  keypoints.forEach(([x, y, score], place) => {
    for (const [radius, fillStyle] of [[1.5 * width, '#202020'], [1.1 * width, `rgb(${spec.keypointColors[place]})`]]) {
      Object.assign(context, { fillStyle, globalAlpha: clamp(score, 0, 1) });
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  });
}

/** The attention of two persons, as bars for each dynamic layer. */
class Attention {
  constructor(layers) {
    this.count = layers[0].kernels;
    const kernels = Array.from({ length: this.count }, (_, index) => index);
    element('kernels').textContent = this.count;
    element('legend').prepend(...kernels.map((index) => make('i', {}, `kernel ${index + 1}`)));
    this.rows = layers.map((layer) => {
      const bars = [0, 1].map(() => make('div', { className: 'mixture' }, ...kernels.map(() => make('i'))));
      const both = make('div', { role: 'img' }, ...bars), changed = make('span');
      const root = make('div', { className: 'layer' }, make('span', {}, layer.label), both, changed);
      return { layer, bars, both, changed, root };
    });
    for (const stage of new Set(layers.map((layer) => layer.stage))) {
      const rows = this.rows.filter(({ layer }) => layer.stage === stage).map(({ root }) => root);
      element('layers').append(make('div', { className: 'stage' }, make('h3', {}, stage), ...rows));
    }
  }

  /** Shows what the layers mixed for the person of either image, (layers, K), where there is one. */
  show(weights) {
    const known = weights.filter(Boolean), equal = 1 / this.count, least = Math.min(equal, ...known.flat(2));
    // The largest whole factor by which no share becomes negative.
    const most = equal - least > 1e-6 ? Math.max(Math.floor(equal / (equal - least + 1e-9)), 1) : 1;
    const factor = element('magnify').checked ? most : 1;
    element('factor').textContent = factor > 1 ? `(×${factor})` : '';
    const changes = this.rows.map(({ bars, both, changed, layer, root }, row) => {
      const words = ['First', 'Second'].map((side, index) => {
        const shares = weights[index]?.[row];
        bars[index].hidden = !shares;
        shares?.forEach((share, kernel) => {
          bars[index].children[kernel].style.width = `${100 * (equal + factor * (share - equal))}%`;
        });
        return shares && `${side} image: ${shares.map((share) => percent(share, 1)).join(', ')}`;
      }).filter(Boolean);
      both.ariaLabel = words.join('. ');
      root.title = [layer.title, ...words].join('\n');
      if (known.length < 2) return 0;
      return sum(known[0][row].map((share, kernel) => Math.abs(share - known[1][row][kernel]))) / 2;
    });
    const isPair = known.length > 1, highest = Math.max(...changes), differs = highest >= 5e-4;
    this.rows.forEach(({ root, changed }, row) => {
      changed.textContent = isPair ? percent(changes[row], 1) : '';
      root.classList.toggle('most', isPair && differs && changes[row] === highest);
    });
    const mean = percent(sum(changes) / changes.length, 1), largest = percent(Math.max(...known.flat(2)), 1);
    const pair = differs ? `Between the two persons ${mean} of a layer’s mixture changes on average, and `
      + `${percent(highest, 1)} where most does (in bold). The numbers beside the bars say it for each layer.`
      : 'The network mixes the same for both persons.';
    const single = `Equal shares would be ${percent(equal)} each; the largest here is ${largest}. `
      + 'Choose another image beside it to see what changes.';
    element('summary').textContent = ['The bars come with the first person.', single, pair][known.length];
  }
}

/** What belongs to both images. */
class Page {
  network = 'dynamic';

  constructor() {
    this.panels = [
      new Panel('first', 'First image', 'Click one of the four photographs, or drop one of yours here.', this),
      new Panel('second', 'Second image', 'Choose a second image to see whether the mixtures change.', this),
    ];
    [this.current] = this.panels;
    for (const type of ['dragover', 'drop']) addEventListener(type, (event) => event.preventDefault());
    for (const radio of document.getElementsByName('network')) radio.onchange = () => this.choose(radio.value);
    element('magnify').onchange = () => this.refresh();
    element('copy').onclick = async () => {
      const { textContent } = element('json');
      const isCopied = await navigator.clipboard?.writeText(textContent).then(() => true, () => false);
      const refused = 'The browser refuses: copy it from “JSON of the image”.';
      element('copied').textContent = isCopied ? 'Copied.' : refused;
    };
    element('credits').append(...EXAMPLES.flatMap(([, title, id], index) =>
      [index ? ', ' : '', make('a', { href: `https://www.flickr.com/photo.gne?id=${id}` }, title.toLowerCase())]));
    this.ready = this.load();
    this.ready.catch((error) => this.say(error.message, 'error'));
  }

  say(text, state) {
    element('status').textContent = text;
    element('progress').hidden = state !== 'loading';
    document.body.dataset.state = state;
  }

  waitingFor(text) {
    return this.ask ? text : 'The persons come once the networks are loaded.';
  }

  async load() {
        if (typeof WebAssembly !== 'object' || !WebAssembly.validate(new Uint8Array(SIMD))) {
      throw new Error('This browser lacks WebAssembly SIMD, which the networks need: use a newer Chrome, Edge, Firefox '
        + 'or Safari.');
    }
    this.spec = await fetch('networks.json').then((answer) => answer.json()).catch(() => {
      throw new Error('The networks are missing beside the page: build its folder by “make web”.');
    });
    const total = sum(Object.values(this.spec.files).map(({ bytes }) => bytes));
    this.attention = new Attention(this.spec.layers);
    this.refresh();
    let bytes = 0;
    this.say(`The networks are loading: ${megabytes(total)} MB …`, 'loading');
    const ask = startWorker((more) => {
      bytes += more;
      element('progress').value = bytes / total;
      if (bytes === total) this.say('The networks are loaded and get ready …', 'loading');
    });
    const { threads } = await ask({ kind: 'load', spec: this.spec });
    this.ask = ask;
    element('notice').hidden = crossOriginIsolated;
    this.say(`Ready, on ${threads === 1 ? 'one thread' : `${threads} threads`}.`, 'ready');
  }

  /** Switches the network, and runs it on the images. */
  choose(network) {
    this.network = network;
    for (const panel of this.panels.filter(({ name, stream }) => name && !stream)) {
      panel.find(createImageBitmap(panel.photo), panel.boxes); // the worker may have a later frame of the webcam
    }
    this.refresh();
  }

  /** Shows what is beside the images, after a change in a panel; tables are of the one that the user chose last. */
  refresh(panel = this.current) {
    if (!this.attention) return;
    this.attention.show(this.panels.map(({ attention, person }) => person && attention[person.index]));
    if (panel !== this.current) return;
    const { person, scale } = panel;
    element('times').caption.textContent = `On the ${panel.id} image`;
    element('times').tBodies[0].replaceChildren(...['dynamic', 'static'].map((network) => {
      const time = panel.times[network], size = `${megabytes(this.spec.files[network].bytes)} MB`;
      const row = makeRow(network, time ? time.toFixed(0) : '–', time ? (1000 / time).toFixed(1) : '–', size);
      row.ariaCurrent = String(network === this.network);
      return row;
    }));
    const whose = person ? `Person ${panel.chosen + 1} of the ${panel.id} image` : 'The chosen person';
    element('whose').textContent = whose;
    element('points').tBodies[0].replaceChildren(...(person?.keypoints ?? []).map(([x, y, score], index) => {
      const numbers = [(x / scale).toFixed(1), (y / scale).toFixed(1), score.toFixed(2)];
      return makeRow(this.spec.names[index].replaceAll('_', ' '), ...numbers);
    }));
    element('json').textContent = JSON.stringify(panel.coco);
    element('copy').disabled = !person;
    element('copied').textContent = '';
  }
}

if (isWorker) serve();
else new Page();
