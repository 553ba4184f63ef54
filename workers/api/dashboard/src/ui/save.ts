// Files for the reader's disk.

interface Picker {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
}

/** Offers text as a file. */
export function saveText(name: string, text: string, type = "text/csv;charset=utf-8") {
  saveBlob(name, new Blob([text], { type }));
}

function saveBlob(name: string, blob: Blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has taken it by then; a minute is ample.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * Saves a response of any length. Where the browser can, it goes to the disk as it comes; else it is held in memory
 * first. `progress` is called with the bytes so far. Resolves to false when the reader chose no file.
 */
export async function saveStream(name: string, open: () => Promise<Response>, progress: (bytes: number) => void): Promise<boolean> {
  const { showSaveFilePicker } = window as Picker;
  let file: FileSystemFileHandle | null = null;
  if (showSaveFilePicker) {
    try {
      file = await showSaveFilePicker.call(window, { suggestedName: name });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return false;
      // Not allowed here: memory it is.
    }
  }
  const response = await open();
  let bytes = 0;
  const counted = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        progress(bytes);
        controller.enqueue(chunk);
      },
    }),
  );
  // A stream that breaks off fails here: the file is not closed, so nothing half is left under its name.
  if (file && counted) await counted.pipeTo(await file.createWritable());
  else saveBlob(name, await new Response(counted ?? null).blob());
  return true;
}
