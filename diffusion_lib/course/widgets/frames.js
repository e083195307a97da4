// Pictures over time: each track is a canvas at the pictures' own resolution, enlarged by the style sheet only, so
// what stands in the canvas is what the tensor says. A "mix" track is computed here: alpha(t) x0 + sigma(t) noise.

import { TOKENS } from "./tokens.js";
import { make, sayValues, widget } from "./shared.js";

// A pixel that is NaN or infinite, as little-endian RGBA.
const BROKEN = (0xff000000 | parseInt(TOKENS.broken.slice(5) + TOKENS.broken.slice(3, 5) + TOKENS.broken.slice(1, 3), 16)) >>> 0;

/** The 256 levels of a track: the same arithmetic, in float64, as `quantise` in frames.py. */
function level(x, low, high) {
  return Math.floor((Math.min(Math.max(x, low), high) - low) * (255 / (high - low)) + 0.5);
}

/** A function k -> (levels, broken) for one track; `levels` is (n, height, width, channels) and flat. */
function source(track, data) {
  const size = track.n * track.height * track.width * track.channels;
  if (track.mix) {
    const x0 = data.x0, noise = data.noise, alpha = data.alpha, sigma = data.sigma;
    const levels = new Uint8Array(size), broken = new Uint8Array(size);
    return (k) => {
      const a = alpha[k], s = sigma[k];
      for (let i = 0; i < size; i++) {  // rounded to float32 where float32 tensors are
        const x = Math.fround(Math.fround(a * x0[i]) + Math.fround(s * noise[i]));
        broken[i] = Number.isFinite(x) ? 0 : 1;
        levels[i] = broken[i] ? 0 : level(x, track.low, track.high);
      }
      return [levels, broken];
    };
  }
  const levels = data[track.data], broken = data[track.broken];
  return (k) => {
    const j = track.constant ? 0 : k;
    return [levels.subarray(j * size, (j + 1) * size), broken ? broken.subarray(j * size, (j + 1) * size) : null];
  };
}

/** Write one frame into an image's pixels, picture by picture; returns the number of pixels that are no number. */
function paint(pixels, stride, track, levels, broken) {
  const { n, height, width, channels, columns, gap } = track;
  let i = 0, count = 0;
  for (let p = 0; p < n; p++) {
    const top = Math.floor(p / columns) * (height + gap), left = (p % columns) * (width + gap);
    for (let y = 0; y < height; y++) {
      let o = (top + y) * stride + left;
      for (let x = 0; x < width; x++, o++, i += channels) {
        if (broken && (broken[i] || (channels === 3 && (broken[i + 1] || broken[i + 2])))) {
          pixels[o] = BROKEN;
          count++;
        } else if (channels === 1) {
          pixels[o] = 0xff000000 | (levels[i] * 0x010101);
        } else {
          pixels[o] = 0xff000000 | (levels[i + 2] << 16) | (levels[i + 1] << 8) | levels[i];
        }
      }
    }
  }
  return count;
}

function prepare(model, data, stage) {
  const views = model.get("_tracks").map((track) => {
    const rows = Math.ceil(track.n / track.columns);
    const width = track.columns * (track.width + track.gap) - track.gap;
    const height = rows * (track.height + track.gap) - track.gap;
    const canvas = make("canvas", { width, height, role: "img", "aria-label": track.name });
    canvas.style.width = `${width * track.scale}px`;
    const range = make("small", {}, track.range);
    const remark = make("small", {});
    const caption = make("figcaption", {}, track.name, range, remark);
    const figure = make("figure", { class: "dl-figure" }, canvas, caption);
    figure.style.width = `${Math.max(width * track.scale, 140)}px`;
    stage.append(figure);
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    return { track, context, image, pixels: new Uint32Array(image.data.buffer), width, remark, frame: source(track, data) };
  });
  const values = model.get("_values");
  return {
    draw(k) {
      for (const view of views) {
        const [levels, broken] = view.frame(k);
        const count = paint(view.pixels, view.width, view.track, levels, broken);
        view.context.putImageData(view.image, 0, 0);
        const text = count ? `${count} pixel${count > 1 ? "s" : ""} not finite (NaN or ±∞), in magenta` : "";
        if (view.remark.textContent !== text) view.remark.textContent = text;
      }
    },
    say: (k) => sayValues(values, k),
  };
}

export default widget(prepare);
