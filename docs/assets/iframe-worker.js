/* Search in a site that is read from a folder: browsers start no Worker from file://, so the
   script of the worker runs in a hidden frame and is spoken to as a Worker is.  The offline plugin
   would load such a thing from the network; a name with "iframe-worker" keeps it from that. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inner = frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inner.document.createElement("script");
      script.src = new URL(url, location.href);
      this.waiting = [];
      script.onload = () => {
        this.post = (data) => inner.dispatchEvent(new inner.MessageEvent("message", { data }));
        this.waiting.forEach(this.post);
      };
      inner.document.body.append(script);
    }

    postMessage(data) {
      if (this.post) this.post(data);
      else this.waiting.push(data);
    }
  };
}
