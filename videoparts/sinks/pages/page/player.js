// Plays the clip and seeks in it, and tells with each picture which frame it is.

const SHARES = [0.5, 0.9, 0.1, 0.5]; // where in a frame's interval to seek, one try after another

class Player {
  // shown(frame, picture): called with every picture; it must be copied before the call returns.
  constructor(video, times, shown) {
    this.video = video;
    this.times = times;
    this.shown = shown;
    this.wanted = 0; // where the user is going
    this.current = -1; // the frame of the picture that came last
    this.seeking = false;
    this.tries = 0;
    this.ownTimes = null; // whether a picture kept has its own time; not known yet
    this.sought = -1;
    this.stuck = () => {}; // called with the frame that stays where one cannot be had
    this.exact = "requestVideoFrameCallback" in HTMLVideoElement.prototype;
    video.addEventListener("seeked", () => this.afterSeek());
    video.addEventListener("ended", () => this.go(this.times.length - 1));
    video.addEventListener("loadeddata", () => this.go(0), { once: true });
    if (this.exact) this.listen();
    else video.addEventListener("play", () => this.poll());
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  // The frame shown at a time in seconds: the last that began by then. Times are whole milliseconds.
  at(seconds, tolerance = 0.4) {
    const ms = seconds * 1000 + tolerance;
    let low = 0;
    let high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= ms) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // Seconds: a place inside of the frame's interval, at a share of its length.
  inside(frame, share) {
    return (this.times[frame] + share * (this.end(frame) - this.times[frame])) / 1000;
  }

  // Milliseconds: when a frame ends. The last one is shown as long as the one before it.
  end(frame) {
    const { times } = this;
    if (frame < times.length - 1) return times[frame + 1];
    return times[frame] + (frame ? times[frame] - times[frame - 1] : 2);
  }

  play() {
    if (this.current === this.times.length - 1) this.video.currentTime = 0;
    this.video.play().catch(() => {});
  }

  pause() {
    this.video.pause();
    this.go(this.current);
  }

  // Seek to a frame. While a seek is under way only the newest wish is kept.
  go(frame) {
    this.wanted = Math.max(0, Math.min(this.times.length - 1, frame));
    if (this.playing) this.video.pause();
    if (!this.seeking && this.wanted !== this.current) this.seek();
  }

  step(frames) {
    this.go((this.playing ? this.current : this.wanted) + frames);
  }

  // The middle of the interval first, so that rounding cannot lead to a neighbour.
  seek() {
    if (this.sought !== this.wanted) this.tries = 0;
    this.seeking = true;
    this.sought = this.wanted;
    this.video.currentTime = this.inside(this.wanted, SHARES[this.tries++]);
  }

  afterSeek() {
    this.seeking = false;
    if (this.playing) return;
    if (this.wanted !== this.sought) this.seek();
    else if (this.exact) {
      // The picture has its own callback, which may still be on its way.
      clearTimeout(this.late);
      this.late = setTimeout(() => this.again(), 150);
    } else this.take(this.video.currentTime);
  }

  // No new picture came, or that of a neighbour. Seek elsewhere in the frame's interval; in the end stay where it is.
  again() {
    if (this.playing || this.seeking || this.current === this.wanted) return;
    if (this.ownTimes !== null) this.take(this.video.currentTime); // the picture that was there already
    if (this.current === this.wanted) return;
    if (this.tries < SHARES.length) this.seek();
    else {
      this.wanted = this.current;
      this.sought = -1;
      this.stuck(this.current);
    }
  }

  listen() {
    this.video.requestVideoFrameCallback((now, facts) => {
      this.listen();
      this.take(facts.mediaTime);
    });
  }

  poll() {
    if (!this.playing) return;
    this.take(this.video.currentTime);
    requestAnimationFrame(() => this.poll());
  }

  // A picture is there that is said to be of `seconds`. It may be another one by now: Chromium may be a frame ahead of
  // what it says, Firefox a frame behind.
  take(seconds) {
    let frame = this.at(seconds);
    let picture = null;
    if (this.exact && "VideoFrame" in window) {
      try {
        picture = new VideoFrame(this.video); // keeps the picture as it is now
      } catch {
        picture = null;
      }
    }
    // Chromium gives that its own time, which is the truth. Firefox 140 does not: a number near 0, whatever the time.
    if (picture && this.ownTimes === null && frame > 0) this.ownTimes = picture.timestamp >= seconds * 1e6 - 600;
    if (picture && this.ownTimes) frame = this.at(picture.timestamp / 1e6);
    else if (this.playing) frame = Math.min(frame, this.at(this.video.currentTime, 0.001));
    this.current = frame;
    if (frame === this.sought) this.tries = 0;
    if (this.playing) this.wanted = frame;
    this.shown(frame, picture ?? this.video);
    if (picture) picture.close();
  }
}
