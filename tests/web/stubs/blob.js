/** Adds methods that jsdom's Blob lacks. */

Blob.prototype.arrayBuffer ??= function () {
  return read(this, "readAsArrayBuffer")
}
Blob.prototype.text ??= function () {
  return read(this, "readAsText")
}

function read(blob, how) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result)
    reader.onerror = () => reject(reader.error)
    reader[how](blob)
  })
}
